using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

/// <summary>
/// Moves test data away from the midpoints between two 8-bit levels, where a rounding in the last place of float32 decides the level
/// and two right implementations may differ. What is then compared is arithmetic. Exact midpoints have a test of their own.
/// </summary>
internal static class Int8Margins
{
    private const double Margin = 2e-3;

    public static float[] Clear(float[] values, int columns, DType type = DType.F32, float[]? gain = null)
    {
        for (int start = 0; columns > 0 && start < values.Length; start += columns)
        {
            for (int g = 0; g < columns; g += Int8Groups.Size)
            {
                int end = Math.Min(g + Int8Groups.Size, columns);
                double largest = Enumerable.Range(g, end - g).Max(i => Math.Abs(Weighted(i)));
                for (int i = g; i < end; i++)
                {
                    while (largest > 0 && NearMidpoint(Math.Abs(Weighted(i)) * 127 / largest))
                    {
                        values[start + i] = ArraySource.RoundTo(type, values[start + i] * 0.97f);
                    }
                }

                double Weighted(int i) => (double)values[start + i] * (gain?[i] ?? 1f);
            }
        }

        return values;
    }

    private static bool NearMidpoint(double level) => Math.Abs(level - Math.Floor(level) - 0.5) < Margin;
}
