using System.Text;
using Farm.Core;

namespace Farm.Pocket;

/// <summary>A sequence of random draws that depends on its seed and name alone, by <see cref="Philox"/>.</summary>
public sealed class Draws
{
    private readonly ulong _seed;
    private readonly ulong _name;
    private uint _next;

    /// <summary>Starts the sequence of that seed and name, e.g. "sft" or the text of a row.</summary>
    public Draws(ulong seed, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        _seed = seed;
        _name = Hash(name);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform() => Philox.Uniform(_seed, (uint)_name, (uint)(_name >> 32), _next++);

    /// <summary>Uniform among 0 ... <paramref name="count"/> - 1.</summary>
    public int Below(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return (int)(Uniform() * count);
    }

    /// <summary>Uniform among <paramref name="least"/> ... <paramref name="most"/>.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    /// <summary>True with that probability.</summary>
    public bool Chance(double probability) => Uniform() < probability;

    /// <summary>One of the items.</summary>
    public T Pick<T>(IReadOnlyList<T> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return items[Below(items.Count)];
    }

    /// <summary>One of the items.</summary>
    public T Pick<T>(ReadOnlySpan<T> items) => items[Below(items.Length)];

    /// <summary>So many different places of the list, in random order.</summary>
    public T[] Some<T>(ReadOnlySpan<T> items, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, items.Length);
        T[] shuffled = items.ToArray();
        for (int i = 0; i < count; i++)
        {
            int j = Between(i, shuffled.Length - 1);
            (shuffled[i], shuffled[j]) = (shuffled[j], shuffled[i]);
        }

        return count == shuffled.Length ? shuffled : shuffled[..count];
    }

    // FNV-1a over UTF-8: stable over processes and machines, unlike string.GetHashCode. Lone surrogates become U+FFFD.
    private static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            hash = (hash ^ value) * 1099511628211;
        }

        return hash;
    }
}
