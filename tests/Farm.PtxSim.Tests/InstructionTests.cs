namespace Farm.PtxSim.Tests;

/// <summary>Instructions against the host's arithmetic, in each schedule where several CTAs run.</summary>
[Collection("simulator")]
public sealed class InstructionTests
{
    private readonly nint _module;
    private readonly Random _random = new(20240611);

    public InstructionTests()
    {
        _ = new Session();
        _module = Session.Load(Repository.Compile("basics.cu"));
    }

    [Theory]
    [InlineData("forward", "1")]
    [InlineData("reverse", "2")]
    [InlineData("shuffled", "3")]
    public void Threads_beyond_the_end_write_nothing(string schedule, string threads)
    {
        Session.Configure("SCHEDULE", schedule);
        Session.Configure("THREADS", threads);
        float[] x = Floats(1000, 1), y = Floats(1000, 1);
        ulong dy = Session.Upload(y);
        Session.Check(Session.Run(Kernel("saxpy"), 9, 128, Session.Upload(x), dy, 2.5f, 1000u));
        float[] result = Session.Download<float>(dy, 1000);
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(MathF.FusedMultiplyAdd(2.5f, x[i], y[i]), result[i]);
        }
    }

    [Fact]
    public void Lanes_that_loop_for_different_times_meet_again()
    {
        uint[] start = [.. Enumerable.Range(1, 300).Select(i => (uint)i)];
        ulong steps = Session.Allocate(1200);
        Session.Check(Session.Run(Kernel("collatz"), 3, 128, Session.Upload(start), steps, 300u));
        Assert.Equal(start.Select(Collatz), Session.Download<uint>(steps, 300));

        static uint Collatz(uint value)
        {
            uint count = 0;
            for (; value != 1; count++)
            {
                value = value % 2 == 0 ? value / 2 : (3 * value) + 1;
            }

            return count;
        }
    }

    [Fact]
    public void Block_sum_goes_through_shuffles_and_shared_memory()
    {
        float[] x = Floats(3500, 1);
        ulong sums = Session.Allocate(20);
        Session.Check(Session.Run(Kernel("block_sum"), 5, 128, Session.Upload(x), sums, 700u));
        float[] result = Session.Download<float>(sums, 5);
        for (int k = 0; k < 5; k++)
        {
            Assert.Equal(x.Skip(700 * k).Take(700).Sum(v => (double)v), result[k], 1e-4);
        }
    }

    [Theory]
    [InlineData("mma_tile", false, "late")]
    [InlineData("mma_tile", false, "eager")]
    [InlineData("mma_transposed", true, "late")]
    public void Tensor_core_product_equals_the_sum_of_products(string name, bool transposed, string copies)
    {
        Session.Configure("ASYNC", copies);
        ushort[] a = BFloat16.Random(_random, 256), b = BFloat16.Random(_random, 128);
        ushort[] stored = transposed ? [.. Enumerable.Range(0, 128).Select(i => b[(16 * (i % 8)) + (i / 8)])] : b;
        ulong c = Session.Allocate(512);
        Session.Check(Session.Run(Kernel(name), 1, 32, Session.Upload(a), Session.Upload(stored), c));
        float[] result = Session.Download<float>(c, 128);
        for (int i = 0; i < 16; i++)
        {
            for (int j = 0; j < 8; j++)
            {
                double sum = Enumerable.Range(0, 16).Sum(k => (double)BFloat16.Widen(a[(16 * i) + k]) * BFloat16.Widen(b[(16 * j) + k]));
                Assert.Equal(sum, result[(8 * i) + j], 1e-5);
            }
        }
    }

    [Fact]
    public void Float_functions_are_within_a_few_units_of_the_last_place()
    {
        const int count = 1000;
        float[] x = [.. Floats(count - 8, 6), 0.5f, -0.5f, 1.5f, 2.5f, 1e-3f, -20, 30, 1];
        (string Name, Func<double, double> Value)[] functions =
        [
            ("ex2", v => Math.Pow(2, v)), ("lg2", v => Math.Log2(Math.Abs(v))), ("rsqrt", v => 1 / Math.Sqrt(Math.Abs(v))), ("rcp", v => 1 / v),
            ("sin", Math.Sin), ("cos", Math.Cos), ("tanh", Math.Tanh), ("div", v => 1.5 / v), ("sqrt", v => Math.Sqrt(Math.Abs(v))),
            ("floor", Math.Floor), ("rint", v => Math.Round(v, MidpointRounding.ToEven)), ("fma", v => (v * v) + 0.25), ("to int", Math.Truncate),
            ("double", v => (v * 3) + 1e-9), ("max", v => Math.Max(v, 0.5)), ("bf16", v => BFloat16.Widen(BFloat16.Round((float)v))),
        ];
        ulong y = Session.Allocate(functions.Length * count * 4);
        Session.Check(Session.Run(Kernel("functions"), 8, 128, Session.Upload(x), y, (uint)count));
        float[] result = Session.Download<float>(y, functions.Length * count);
        for (int k = 0; k < functions.Length; k++)
        {
            for (int i = 0; i < count; i++)
            {
                double expected = functions[k].Value(x[i]);
                double error = Math.Abs(result[(k * count) + i] - expected);
                Assert.True(error <= 4e-7 * (Math.Abs(expected) + 1e-3), $"{functions[k].Name}({x[i]}) is {result[(k * count) + i]}, not {expected}.");
            }
        }
    }

    [Fact]
    public void Integer_and_bit_operations_are_exact()
    {
        const int count = 500;
        uint[] x = [.. Enumerable.Range(0, count + 1).Select(_ => (uint)_random.NextInt64(1L << 32)), 0, 0x80000000, 0xFFFFFFFF, 1];
        ulong y = Session.Allocate(16 * count * 4);
        Session.Check(Session.Run(Kernel("integers"), 4, 128, Session.Upload(x), y, (uint)count));
        uint[] result = Session.Download<uint>(y, 16 * count);
        for (int i = 0; i < count; i++)
        {
            uint[] expected = IntegerReference.All(x[i], x[i + 1]);
            Assert.Equal(expected, Enumerable.Range(0, 16).Select(k => result[(k * count) + i]));
        }
    }

    [Fact]
    public void Lanes_of_a_warp_exchange_values()
    {
        ulong output = Session.Allocate(192 * 4);
        Session.Check(Session.Run(Kernel("warp_operations"), 1, 32, output));
        uint[] result = Session.Download<uint>(output, 192);
        uint[] v = [.. Enumerable.Range(0, 32).Select(t => (uint)((t * t) + 3))];
        uint thirds = (uint)Enumerable.Range(0, 32).Where(t => t % 3 == 0).Sum(t => 1L << t);
        for (int t = 0; t < 32; t++)
        {
            uint[] expected = [thirds, (uint)v.Sum(e => e), t >= 3 ? v[t - 3] : v[t], t + 5 < 32 ? v[t + 5] : v[t], v[7], 3];
            Assert.Equal(expected, Enumerable.Range(0, 6).Select(k => result[(32 * k) + t]));
        }
    }

    [Fact]
    public void Constant_tables_are_in_device_memory()
    {
        ulong ints = Session.Allocate(128), floats = Session.Allocate(128);
        Session.Check(Session.Run(Kernel("tables"), 1, 32, ints, floats));
        Assert.Equal([10, 20, 30, 40, 50, 10], Session.Download<int>(ints, 6));
        Assert.Equal([0.5f, 0.25f, 0.125f, 1f / 3, 0.5f], Session.Download<float>(floats, 5));
    }

    [Fact]
    public void Atomics_of_several_workers_lose_nothing()
    {
        Session.Configure("THREADS", "4");
        uint[] keys = [.. Enumerable.Range(0, 20000).Select(_ => (uint)_random.Next())];
        ulong counts = Session.Upload(new uint[9]), sum = Session.Upload(new float[1]);
        Session.Check(Session.Run(Kernel("atomics"), 157, 128, counts, sum, Session.Upload(keys), 20000u));
        uint[] result = Session.Download<uint>(counts, 9);
        Assert.Equal(Enumerable.Range(0, 8).Select(k => (uint)keys.Count(key => key % 8 == k)), result.Take(8));
        Assert.Equal(157u * 128 - 1, result[8]);
        Assert.Equal(10000f, Session.Download<float>(sum, 1)[0]);
    }

    [Fact]
    public void Structure_argument_is_copied_at_the_launch()
    {
        ulong output = Session.Allocate(64);
        var pair = new Pair { A = 1, B = 2, C = 3, Offset = 0 };
        Session.Check(Session.Launch(Kernel("structure"), (1, 1, 2), (4, 2, 1), 0, 0, output, pair));
        float[] result = Session.Download<float>(output, 16);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => 1 + (((i % 4) + (i / 4 % 2)) % 3) + (100f * (i / 8))), result);
    }

    [Fact]
    public void Vectors_of_sixteen_bytes_keep_their_order()
    {
        uint[] x = [.. Enumerable.Range(0, 384).Select(i => (uint)(i * 7))];
        ulong output = Session.Allocate(1536);
        Session.Check(Session.Run(Kernel("wide"), 3, 32, Session.Upload(x), output));
        Assert.Equal(Enumerable.Range(0, 384).Select(i => x[(4 * (i / 4)) + ((i + 1) % 4)] + 1), Session.Download<uint>(output, 384));
    }

    [Fact]
    public void Dynamic_shared_memory_lies_behind_the_static_arrays()
    {
        uint[] x = [.. Enumerable.Range(0, 256).Select(i => (uint)i)];
        ulong output = Session.Allocate(1024);
        Session.Check(Session.Launch(Kernel("reverse"), (2, 1, 1), (128, 1, 1), 512, 0, Session.Upload(x), output));
        Assert.Equal(x.Select(i => i / 128 * 128 + 127 - (i % 128)), Session.Download<uint>(output, 256));
    }

    private nint Kernel(string name) => Session.Function(_module, name);

    private float[] Floats(int count, double scale) => [.. Enumerable.Range(0, count).Select(_ => (float)((_random.NextDouble() - 0.5) * 2 * scale))];

    private struct Pair
    {
        public float A;
        public float B;
        public float C;
        public uint Offset;
    }
}
