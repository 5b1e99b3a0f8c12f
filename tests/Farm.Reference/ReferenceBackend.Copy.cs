using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        Check.That(!source.IsNone && !destination.IsNone, nameof(Copy), "an operand is missing");
        Check.Shape(nameof(Copy), nameof(destination), destination, destination.DType, source.Rows, source.Columns);
        bool same = source.DType == destination.DType;
        Check.That(same || (IsReal(source) && IsReal(destination)), nameof(Copy), $"no conversion from {source} to {destination}");
        for (int t = 0; t < source.Rows; t++)
        {
            if (same)
            {
                TensorIO.WriteBytes(destination, t, TensorIO.ReadBytes(source, t));
            }
            else
            {
                TensorIO.WriteRow(destination, t, TensorIO.ReadRowSingle(source, t));
            }
        }
    }

    private static bool IsReal(Tensor tensor) => tensor.DType is DType.F32 or DType.BF16;
}
