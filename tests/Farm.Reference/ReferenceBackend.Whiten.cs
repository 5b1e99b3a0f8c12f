using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Whiten(Tensor input, bool shiftMean, Tensor output)
    {
        Vectors(nameof(Whiten), input.Columns, (nameof(input), input), (nameof(output), output));
        if (input.Columns > 0)
        {
            TensorIO.WriteRow(output, 0, Whitened(TensorIO.ReadRow(input, 0), shiftMean));
        }
    }

    internal static double[] Whitened(double[] x, bool shiftMean)
    {
        double mean = x.Average(), deviation = Math.Sqrt(x.Average(v => (v - mean) * (v - mean)));
        return [.. x.Select(v => ((v - mean) / (deviation + 1e-8)) + (shiftMean ? 0 : mean))];
    }
}
