using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda;

public sealed partial class CudaBackend : IScratchMemory
{
    // No launch reads it. Aligned as the parts of an arena are, so that operands on it are packed where real ones would be and nowhere else.
    private const nint ShapeAddress = 1 << 20;

    /// <summary>The most bytes that this process has held on its GPUs at once: tensors, packed weights, keys and values, and the operations' scratch memory.</summary>
    public static long MostBytes => Ledger.MostBytes;

    /// <summary>Bytes that operations hold now for what their kernels hand each other.</summary>
    internal long ScratchBytes => _scratch.Bytes;

    /// <inheritdoc/>
    public long ScratchFor(Action operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        ObjectDisposedException.ThrowIf(_disposed, this);
        _scratch.BeginMeasuring();
        try
        {
            operations();
        }
        finally
        {
            _scratch.EndMeasuring();
        }

        return _scratch.Measured;
    }

    /// <inheritdoc/>
    public Tensor Shape(DType type, int rows, int columns) => new(ShapeAddress, type, rows, columns, columns);

    /// <inheritdoc/>
    public LinearWeight WeightOfShape(int inFeatures, int outFeatures, DType storage, LinearLayout layout = LinearLayout.Concatenated) =>
        new CudaLinearWeight(inFeatures, outFeatures, storage, layout, bytes => CudaMemory.OfShape(_device, _queue, ShapeAddress, bytes));

    /// <inheritdoc/>
    public void ReserveScratch(long bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _scratch.Reserve(bytes);
    }
}
