using Farm.Core;

namespace Farm.Training.Data;

/// <summary>Seeded orders.</summary>
public static class Permutations
{
    /// <summary>The order of an epoch: a Fisher-Yates shuffle whose draws are keyed by (seed, epoch), so that any epoch's order is known at once.</summary>
    public static int[] OfEpoch(int count, ulong seed, int epoch)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            var (x0, x1, _, _) = Philox.Block(seed, (uint)i, (uint)epoch, 0, RandomStreams.Shuffle);
            int j = (int)Math.BigMul(((ulong)x0 << 32) | x1, (ulong)i + 1, out _);
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    /// <summary>
    /// The permutation of torch.randperm on the CPU after manual_seed, by which AlpacaFarm splits preference data: MT19937 (Matsumoto and Nishimura,
    /// 1998) seeded with the low 32 bits, and a forward Fisher-Yates by remainders.
    /// </summary>
    public static int[] Torch(int count, ulong seed)
    {
        var generator = new MersenneTwister((uint)seed);
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = 0; i < count - 1; i++)
        {
            int j = i + (int)(generator.Next() % (uint)(count - i));
            (order[i], order[j]) = (order[j], order[i]);
        }

        return order;
    }

    /// <summary>AlpacaFarm's split: the last <paramref name="evalSize"/> of the permutation are for evaluation.</summary>
    /// <exception cref="BadInputException">Nothing would be left to train on.</exception>
    public static (int[] Train, int[] Eval) Split(int count, int evalSize, ulong seed)
    {
        if (evalSize < 0 || evalSize >= count)
        {
            throw new BadInputException($"--eval-size is {evalSize}, but there are {count} examples; it must be at least 0 and smaller than that.");
        }

        int[] order = Torch(count, seed);
        return (order[..(count - evalSize)], order[(count - evalSize)..]);
    }

    private sealed class MersenneTwister
    {
        private const int Size = 624, Shift = 397;
        private readonly uint[] _state = new uint[Size];
        private int _next = Size;

        public MersenneTwister(uint seed)
        {
            _state[0] = seed;
            for (int i = 1; i < Size; i++)
            {
                _state[i] = (1812433253u * (_state[i - 1] ^ (_state[i - 1] >> 30))) + (uint)i;
            }
        }

        public uint Next()
        {
            if (_next == Size)
            {
                Refill();
            }

            uint y = _state[_next++];
            y ^= y >> 11;
            y ^= (y << 7) & 0x9D2C5680u;
            y ^= (y << 15) & 0xEFC60000u;
            return y ^ (y >> 18);
        }

        private void Refill()
        {
            for (int i = 0; i < Size; i++)
            {
                uint y = (_state[i] & 0x80000000u) | (_state[(i + 1) % Size] & 0x7FFFFFFFu);
                _state[i] = _state[(i + Shift) % Size] ^ (y >> 1) ^ ((y & 1) == 0 ? 0 : 0x9908B0DFu);
            }

            _next = 0;
        }
    }
}
