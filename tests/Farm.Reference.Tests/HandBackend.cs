using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>Operands of a test computed by hand, in arrays.</summary>
internal sealed class HandBackend : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public ReferenceBackend Ops { get; } = new();

    public Tensor Real(int rows, params float[] values)
    {
        var tensor = Take(DType.F32, rows, values.Length / rows);
        Ops.Upload<float>(values, tensor);
        return tensor;
    }

    public Tensor Ints(int rows, params int[] values)
    {
        var tensor = Take(DType.I32, rows, values.Length / rows);
        Ops.Upload<int>(values, tensor);
        return tensor;
    }

    public Tensor Output(int rows, int columns) => Take(DType.F32, rows, columns);

    public float[] Read(Tensor tensor)
    {
        var values = new float[tensor.Count];
        Ops.Download(tensor, values.AsSpan());
        return values;
    }

    public int[] ReadInts(Tensor tensor)
    {
        var values = new int[tensor.Count];
        Ops.Download(tensor, values.AsSpan());
        return values;
    }

    public void Dispose()
    {
        _owned.ForEach(m => m.Dispose());
        Ops.Dispose();
    }

    private Tensor Take(DType type, int rows, int columns)
    {
        var memory = Ops.Allocate(Math.Max(64L, (long)rows * columns * type.Size()));
        _owned.Add(memory);
        return memory.Tensor(type, rows, columns);
    }
}
