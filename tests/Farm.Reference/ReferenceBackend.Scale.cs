using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Scale(Tensor source, float scale, Tensor destination, bool accumulate = false)
    {
        Check.Type(nameof(Scale), nameof(source), source, DType.F32);
        Check.Shape(nameof(Scale), nameof(destination), destination, DType.F32, source.Rows, source.Columns);
        for (int t = 0; t < source.Rows; t++)
        {
            double[] row = accumulate ? TensorIO.ReadRow(destination, t) : new double[source.Columns];
            AddTo(row, TensorIO.ReadRow(source, t), scale);
            TensorIO.WriteRow(destination, t, row);
        }
    }
}
