using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void GatherRows(Tensor input, Tensor rows, Tensor output)
    {
        Check.That(!input.IsNone, nameof(GatherRows), "input is missing");
        Check.Shape(nameof(GatherRows), nameof(rows), rows, DType.I32, 1, output.Rows);
        Check.Shape(nameof(GatherRows), nameof(output), output, input.DType, output.Rows, input.Columns);
        int[] index = TensorIO.ReadInts(rows);
        for (int i = 0; i < index.Length; i++)
        {
            Check.Index(nameof(GatherRows), nameof(rows), index[i], input.Rows);
            TensorIO.WriteBytes(output, i, TensorIO.ReadBytes(input, index[i]));
        }
    }
}
