namespace Farm.Annotation.Python;

/// <summary>MT19937 (Matsumoto and Nishimura, 1998).</summary>
internal sealed class MersenneTwister
{
    private const int N = 624, M = 397;
    private readonly uint[] _state = new uint[N];
    private int _index = N;

    /// <summary>Seeds by <c>init_genrand</c>, as numpy's <c>RandomState</c> does.</summary>
    public MersenneTwister(uint seed) => Seed(seed);

    /// <summary>Seeds by <c>init_by_array</c>, as Python does.</summary>
    public MersenneTwister(ReadOnlySpan<uint> key)
    {
        Seed(19650218);
        int i = 1, j = 0;
        for (int k = Math.Max(N, key.Length); k > 0; k--)
        {
            _state[i] = (_state[i] ^ ((_state[i - 1] ^ (_state[i - 1] >> 30)) * 1664525)) + key[j] + (uint)j;
            Wrap(ref i);
            j = (j + 1) % key.Length;
        }

        for (int k = N - 1; k > 0; k--)
        {
            _state[i] = (_state[i] ^ ((_state[i - 1] ^ (_state[i - 1] >> 30)) * 1566083941)) - (uint)i;
            Wrap(ref i);
        }

        _state[0] = 0x80000000;
    }

    /// <summary>32 random bits.</summary>
    public uint Next()
    {
        if (_index == N)
        {
            Twist();
        }

        uint y = _state[_index++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        return y ^ (y >> 18);
    }

    private void Seed(uint seed)
    {
        _state[0] = seed;
        for (int i = 1; i < N; i++)
        {
            _state[i] = (1812433253 * (_state[i - 1] ^ (_state[i - 1] >> 30))) + (uint)i;
        }
    }

    private void Wrap(ref int i)
    {
        if (++i >= N)
        {
            _state[0] = _state[N - 1];
            i = 1;
        }
    }

    private void Twist()
    {
        for (int k = 0; k < N; k++)
        {
            uint y = (_state[k] & 0x80000000) | (_state[(k + 1) % N] & 0x7fffffff);
            _state[k] = _state[(k + M) % N] ^ (y >> 1) ^ ((y & 1) * 0x9908b0df);
        }

        _index = 0;
    }
}
