namespace Farm.Annotation.Metrics;

/// <summary>The encodings of a preference between two outputs.</summary>
public static class Preference
{
    /// <summary>The first output is better.</summary>
    public const double First = 1;

    /// <summary>Neither is.</summary>
    public const double Draw = 1.5;

    /// <summary>The second output is better.</summary>
    public const double Second = 2;

    /// <summary>How older files wrote a draw.</summary>
    public const double LegacyDraw = 0;

    /// <summary>How a cache says that an annotation was tried and failed.</summary>
    public const double StoredMissing = -1;

    /// <summary>The preference with an old draw made 1.5, or null where the value (null, NaN, -1, anything outside 1 to 2) is no preference.</summary>
    public static double? Normalize(double? value) => value switch
    {
        LegacyDraw => Draw,
        >= First and <= Second => value,
        _ => null,
    };
}
