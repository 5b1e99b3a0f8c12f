namespace Farm.Reference;

/// <summary>
/// Symmetric 8-bit quantisation in groups: scale = max |x| / 127 in float32, q = x / scale rounded to nearest even and held
/// within -127 .. 127. A group of zeros has scale 0 and values 0.
/// </summary>
public static class Int8Groups
{
    /// <summary>Elements that share a scale.</summary>
    public const int Size = 64;

    /// <summary>Groups of a row of <paramref name="columns"/>; the last may be short.</summary>
    public static int Count(int columns) => (columns + Size - 1) / Size;

    /// <summary>Quantises one row into <paramref name="values"/> and one scale per group.</summary>
    public static void Quantise(ReadOnlySpan<float> row, Span<sbyte> values, Span<float> scales)
    {
        for (int g = 0; g < Count(row.Length); g++)
        {
            int start = g * Size, end = Math.Min(start + Size, row.Length);
            float largest = 0;
            for (int i = start; i < end; i++)
            {
                largest = Math.Max(largest, Math.Abs(row[i]));
            }

            float scale = scales[g] = largest / 127f;
            for (int i = start; i < end; i++)
            {
                values[i] = scale == 0 ? (sbyte)0 : (sbyte)Math.Clamp(MathF.Round(row[i] / scale, MidpointRounding.ToEven), -127f, 127f);
            }
        }
    }
}
