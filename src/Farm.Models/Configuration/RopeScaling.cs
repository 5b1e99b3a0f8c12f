namespace Farm.Models.Configuration;

/// <summary>How rotary frequencies are scaled for contexts longer than the pretrained one.</summary>
public enum RopeScalingKind
{
    /// <summary>Frequencies as they are.</summary>
    None = 0,

    /// <summary>All frequencies divided by the factor (Chen et al., "Extending Context Window via Position Interpolation", 2023).</summary>
    Linear = 1,

    /// <summary>
    /// Low frequencies divided by the factor, high ones kept, a blend between (Llama 3.1's <c>rope_type: llama3</c>; see
    /// <see cref="RopeScaling.LowFrequencyFactor"/>).
    /// </summary>
    Llama3 = 2,
}

/// <summary>
/// The rotary scaling of a model. With Llama3, wavelengths over OriginalMaxPositions / LowFrequencyFactor are slowed by Factor, those under
/// OriginalMaxPositions / HighFrequencyFactor are kept, and between them the two are blended linearly in OriginalMaxPositions / wavelength.
/// </summary>
/// <param name="Kind">The rule.</param>
/// <param name="Factor">Ratio of the extended to the original context, at least 1.</param>
/// <param name="LowFrequencyFactor">Llama3 only.</param>
/// <param name="HighFrequencyFactor">Llama3 only; over <paramref name="LowFrequencyFactor"/>.</param>
/// <param name="OriginalMaxPositions">Llama3 only: the pretrained context in tokens.</param>
public sealed record RopeScaling(
    RopeScalingKind Kind,
    double Factor = 1,
    double LowFrequencyFactor = 1,
    double HighFrequencyFactor = 4,
    int OriginalMaxPositions = 8192)
{
    /// <summary>No scaling.</summary>
    public static RopeScaling None { get; } = new(RopeScalingKind.None);
}
