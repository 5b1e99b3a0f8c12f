using Farm.Models.Configuration;

namespace Farm.Models.Llama;

/// <summary>
/// Angles of the rotary embedding (Su et al., RoFormer, 2021, section 3.4.2): pair i of a head of width d turns by
/// position * theta^(-2i/d). The scalings are those of Hugging Face transformers (<c>modeling_rope_utils.py</c>):
/// <list type="bullet">
/// <item>linear: every frequency divided by the factor (position interpolation; Chen et al., 2023);</item>
/// <item>llama3: wavelengths above original / lowFrequencyFactor are divided by the factor, those below original /
/// highFrequencyFactor are kept, and between them the two are blended linearly in original / wavelength.</item>
/// </list>
/// Angles are computed in float64 and rounded once, so long positions lose nothing.
/// </summary>
public static class Rope
{
    /// <summary>Radians per position of each pair, [HeadDim / 2], scaling applied.</summary>
    public static double[] Frequencies(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var frequencies = new double[config.HeadDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = Scale(Math.Pow(config.RopeTheta, -2.0 * i / config.HeadDim), config.RopeScaling);
        }

        return frequencies;
    }

    /// <summary>Row <paramref name="position"/> of the cosine and sine tables, each [HeadDim / 2].</summary>
    public static void Row(ReadOnlySpan<double> frequencies, int position, Span<float> cosine, Span<float> sine)
    {
        for (int i = 0; i < frequencies.Length; i++)
        {
            var (sin, cos) = Math.SinCos(position * frequencies[i]);
            cosine[i] = (float)cos;
            sine[i] = (float)sin;
        }
    }

    private static double Scale(double frequency, RopeScaling scaling) => scaling.Kind switch
    {
        RopeScalingKind.None => frequency,
        RopeScalingKind.Linear => frequency / scaling.Factor,
        RopeScalingKind.Llama3 => ScaleLlama3(frequency, scaling),
        _ => throw new ArgumentOutOfRangeException(nameof(scaling), scaling.Kind, "not a rope scaling"),
    };

    private static double ScaleLlama3(double frequency, RopeScaling scaling)
    {
        double wavelength = 2 * Math.PI / frequency;
        double original = scaling.OriginalMaxPositions;
        if (wavelength > original / scaling.LowFrequencyFactor)
        {
            return frequency / scaling.Factor;
        }

        if (wavelength < original / scaling.HighFrequencyFactor)
        {
            return frequency;
        }

        double smooth = ((original / wavelength) - scaling.LowFrequencyFactor)
            / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - smooth) * frequency / scaling.Factor) + (smooth * frequency);
    }
}
