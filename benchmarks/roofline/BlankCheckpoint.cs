using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Roofline;

/// <summary>A checkpoint of zeros: what kernels move and do depends on shapes, not on values.</summary>
internal sealed class BlankCheckpoint(ModelConfig config) : ICheckpoint
{
    public string Folder => "zeros";

    public IReadOnlyDictionary<string, ICheckpointTensor> Tensors { get; } =
        TensorLayout.Of(config).ToDictionary(t => t.Name, ICheckpointTensor (t) => new Blank(t), StringComparer.Ordinal);

    public void Dispose()
    {
    }

    private sealed class Blank(ExpectedTensor tensor) : ICheckpointTensor
    {
        public string Name => tensor.Name;

        public string File => "zeros";

        public IReadOnlyList<long> Shape => tensor.Shape;

        public int Rows => checked((int)(tensor.Count / Columns));

        public int Columns => checked((int)tensor.Shape[^1]);

        public DType DType => DType.F32;

        public void Read(int firstRow, int count, Span<byte> destination) => destination.Clear();
    }
}
