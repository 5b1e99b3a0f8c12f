using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void ValueLoss(Tensor values, Tensor oldValues, Tensor returns, float clip, float scale, Tensor losses, Tensor clipped, Tensor gradients)
    {
        Vectors(nameof(ValueLoss), values.Columns, (nameof(values), values), (nameof(oldValues), oldValues), (nameof(returns), returns), (nameof(losses), losses), (nameof(clipped), clipped),
            (nameof(gradients), gradients));
        double[] v = TensorIO.ReadRow(values, 0), old = TensorIO.ReadRow(oldValues, 0), target = TensorIO.ReadRow(returns, 0);
        var terms = v.Select((x, i) => ValueTerm(x, old[i], target[i], clip)).ToArray();
        TensorIO.WriteRow(losses, 0, [.. terms.Select(x => x.Loss)]);
        TensorIO.WriteRow(clipped, 0, [.. terms.Select(x => x.Clipped)]);
        TensorIO.WriteRow(gradients, 0, [.. terms.Select(x => (double)scale * x.Slope)]);
    }

    // At a tie of the two squares with the clamp active, the maximum passes half of the gradient to each side, and the clamped side passes none on.
    internal static (double Loss, double Clipped, double Slope) ValueTerm(double value, double old, double target, double clip)
    {
        double bounded = Math.Clamp(value, old - clip, old + clip), plain = (value - target) * (value - target), other = (bounded - target) * (bounded - target);
        double share = other > plain ? 0 : other == plain && bounded != value ? 0.5 : 1;
        return (Math.Max(plain, other) / 2, other > plain ? 1 : 0, share * (value - target));
    }
}
