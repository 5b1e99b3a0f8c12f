using Farm.Core;

namespace Farm.Conformance;

/// <summary>Tensors of one backend alone, freed together.</summary>
internal sealed class Operands(IBackend backend) : IDisposable
{
    private readonly List<DeviceMemory> _memory = [];

    public Tensor Real(int rows, int columns, float[]? values = null)
    {
        var tensor = Take(DType.F32, rows, columns);
        if (values is not null)
        {
            backend.Upload<float>(values, tensor);
        }

        return tensor;
    }

    public Tensor Ints(int rows, int columns, int[] values)
    {
        var tensor = Take(DType.I32, rows, columns);
        backend.Upload<int>(values, tensor);
        return tensor;
    }

    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Count];
        backend.Download(tensor, values.AsSpan());
        return values;
    }

    public int[] ReadInts(Tensor tensor)
    {
        var values = new int[tensor.Count];
        backend.Download(tensor, values.AsSpan());
        return values;
    }

    public void Dispose() => _memory.ForEach(m => m.Dispose());

    private Tensor Take(DType type, int rows, int columns)
    {
        var memory = backend.Allocate(Math.Max(64, (long)rows * columns * type.Size()));
        _memory.Add(memory);
        return memory.Tensor(type, rows, columns);
    }
}
