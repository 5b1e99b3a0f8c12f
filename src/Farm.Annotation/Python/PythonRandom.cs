using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Farm.Annotation.Python;

/// <summary>
/// Python's <c>random.Random</c>, draw for draw: MT19937 (Matsumoto and Nishimura, 1998) seeded by <c>init_by_array</c> from a text or an
/// integer, as CPython's version 2 seeding does. AlpacaEval's order of outputs, choice of annotator and label noise hang on it.
/// </summary>
public sealed class PythonRandom
{
    private readonly MersenneTwister _twister;

    /// <summary>The generator of <c>random.Random(text)</c>.</summary>
    public PythonRandom(string seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        byte[] text = Encoding.UTF8.GetBytes(seed);
        byte[] bytes = [.. text, .. SHA512.HashData(text)];
        _twister = new MersenneTwister(Words(new BigInteger(bytes, isUnsigned: true, isBigEndian: true)));
    }

    /// <summary>The generator of <c>random.Random(number)</c>.</summary>
    public PythonRandom(long seed) => _twister = new MersenneTwister(Words(BigInteger.Abs(seed)));

    /// <summary>A number in [0, 1) of 53 random bits.</summary>
    public double Next()
    {
        uint high = _twister.Next() >> 5, low = _twister.Next() >> 6;
        return ((high * 67108864.0) + low) / 9007199254740992.0;
    }

    /// <summary><c>choices(range(count))[0]</c>: an index, each as likely.</summary>
    public int Choice(int count) => (int)(Next() * count);

    /// <summary><c>choices(range(n), weights)[0]</c>: an index by its weight.</summary>
    public int Choice(ReadOnlySpan<double> weights)
    {
        Span<double> cumulative = stackalloc double[weights.Length];
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            cumulative[i] = sum += weights[i];
        }

        double x = Next() * sum;
        int index = 0;
        while (index < weights.Length - 1 && cumulative[index] <= x)
        {
            index++;
        }

        return index;
    }

    /// <summary>A number from 0 to <paramref name="limit"/> - 1: the top bits of a draw, drawn again until they fit.</summary>
    public int Below(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        int bits = 32 - BitOperations.LeadingZeroCount((uint)limit);
        uint value;
        do
        {
            value = _twister.Next() >> (32 - bits);
        }
        while (value >= limit);
        return (int)value;
    }

    /// <summary><c>shuffle(list)</c>.</summary>
    public void Shuffle<T>(IList<T> list)
    {
        ArgumentNullException.ThrowIfNull(list);
        for (int i = list.Count - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (list[i], list[j]) = (list[j], list[i]);
        }
    }

    /// <summary>The 32-bit words of a number, the least significant first; one zero word for zero.</summary>
    private static uint[] Words(BigInteger value)
    {
        byte[] bytes = value.ToByteArray(isUnsigned: true);
        uint[] words = new uint[(bytes.Length + 3) / 4];
        for (int i = 0; i < bytes.Length; i++)
        {
            words[i / 4] |= (uint)bytes[i] << (8 * (i % 4));
        }

        return words;
    }
}
