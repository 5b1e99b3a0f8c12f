using Farm.Core;

namespace Farm.Conformance;

/// <summary>Deterministic numbers for tests, the same on every machine.</summary>
public static class TestData
{
    /// <summary><paramref name="count"/> values uniform in (-scale, scale).</summary>
    public static float[] Uniform(int seed, int count, float scale = 1f)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (float)((2 * Philox.Uniform((ulong)seed, (uint)i, 0, 0, 17)) - 1) * scale;
        }

        return values;
    }

    /// <summary><paramref name="count"/> standard normal values times <paramref name="scale"/>, like logits.</summary>
    public static float[] Normal(int seed, int count, float scale = 1f)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            double u = 1 - Philox.Uniform((ulong)seed, (uint)i, 0, 0, 18), v = Philox.Uniform((ulong)seed, (uint)i, 1, 0, 18);
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v)) * scale;
        }

        return values;
    }

    /// <summary><paramref name="count"/> integers in [0, limit).</summary>
    public static int[] Integers(int seed, int count, int limit)
    {
        var values = new int[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (int)(Philox.Uniform((ulong)seed, (uint)i, 0, 0, 19) * limit);
        }

        return values;
    }

    /// <summary>The numbers 0 .. count - 1 in a random order.</summary>
    public static int[] Permutation(int seed, int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        float[] keys = Uniform(seed, count);
        Array.Sort(keys, order);
        return order;
    }
}
