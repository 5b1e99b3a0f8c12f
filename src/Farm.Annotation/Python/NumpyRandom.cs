using System.Numerics;

namespace Farm.Annotation.Python;

/// <summary>What AlpacaEval draws from numpy's <c>RandomState</c>.</summary>
public static class NumpyRandom
{
    /// <summary><c>RandomState(seed).permutation(count)</c>: place t of the result is the original place of what comes t-th.</summary>
    public static int[] Permutation(uint seed, int count)
    {
        var twister = new MersenneTwister(seed);
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            uint mask = BitOperations.RoundUpToPowerOf2((uint)i + 1) - 1, j;
            do
            {
                j = twister.Next() & mask;
            }
            while (j > i);
            (order[i], order[(int)j]) = (order[(int)j], order[i]);
        }

        return order;
    }
}
