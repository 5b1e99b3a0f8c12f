using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void SwiGlu(Tensor gateUp, Tensor output)
    {
        Check.Type(nameof(SwiGlu), nameof(output), output, DType.F32);
        Check.Shape(nameof(SwiGlu), nameof(gateUp), gateUp, DType.F32, output.Rows, 2 * output.Columns);
        for (int t = 0; t < output.Rows; t++)
        {
            TensorIO.WriteRow(output, t, SwiGlu(TensorIO.ReadRow(gateUp, t)));
        }
    }
}
