using Farm.Conformance;
using Farm.Core;
using Farm.Reference;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>What the conformance suite does not ask of the training kernels: tile sizes, tensor cores with rounded operands, several chunks of a vocabulary, bank conflicts.</summary>
public sealed class TrainingKernelTests
{
    /// <summary>Unit roundoff of bfloat16: eight bits.</summary>
    private const double Half = 1.0 / 512;

    public static IEnumerable<object[]> Layouts() =>
        from transposeA in new[] { false, true }
        from transposeB in new[] { false, true }
        from type in new[] { DType.F32, DType.BF16 }
        select new object[] { transposeA, transposeB, type };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_product_has_the_same_bits_for_both_tile_sizes_and_in_both_copy_modes(bool transposeA, bool transposeB, DType type)
    {
        float[]? first = null;
        foreach (var (side, eager) in new[] { (64, false), (128, false), (64, true), (128, true) })
        {
            using var backend = Simulated.Backend(eager);
            backend.MatMulSide = side;
            using var rig = new Rig(backend);
            var (a, b, c) = Product(rig, 150, 140, 75, transposeA, transposeB, type);
            backend.MatMul(On(rig, a), transposeA, On(rig, b), transposeB, On(rig, c));
            float[] got = rig.Got(c);
            Assert.Equal(first ??= got, got);
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void A_product_of_rounded_operands_is_exact_but_for_their_rounding(bool transposeA, bool transposeB, DType type)
    {
        using var backend = Simulated.Backend();
        backend.Compute = CudaCompute.BF16;
        using var rig = new Rig(backend);
        const int M = 70, N = 66, K = 100;
        var (a, b, c) = Product(rig, M, N, K, transposeA, transposeB, type);
        rig.Run(side => ((ITrainingBackend)side.Backend).MatMul(side[a], transposeA, side[b], transposeB, side[c]));
        // Values within 1; two roundings of 2^-9 a product, of which K partly cancel.
        rig.Compare("MatMul in bf16", c, (_, _, _) => Tolerances.Lambda * Math.Sqrt(K) * 2 * Half / 3);
        // It does round: no float32 product is that far off everywhere.
        float[] got = rig.Got(c), want = rig.Want(c);
        Assert.True(got.Zip(want, (x, y) => Math.Abs(x - y)).Max() > 1e-4);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(96)]
    [InlineData(256)]
    public void Attention_of_rounded_operands_stays_within_their_rounding(int headDim)
    {
        using var backend = Simulated.Backend();
        backend.Compute = CudaCompute.BF16;
        Attention(backend, headDim, 2e-2);
    }

    [Fact]
    public void Attention_of_heads_as_wide_as_256_matches_the_reference()
    {
        using var backend = Simulated.Backend();
        Attention(backend, 256, 1e-5);
    }

    [Fact]
    public void Wider_heads_are_refused()
    {
        using var backend = Simulated.Backend();
        using var rig = new Rig(backend);
        Twin qkv = rig.Output(2, 3 * 258), starts = rig.Ints([0, 2]), y = rig.Output(2, 258), lse = rig.Output(2, 1);
        Assert.Throws<ArgumentException>(() => backend.AttentionTrain(On(rig, qkv), 1, 1, On(rig, starts), 1, On(rig, y), On(rig, lse)));
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Cross_entropy_over_several_chunks_of_a_vocabulary_matches_and_no_row_depends_on_another(DType type)
    {
        const int Rows = 5, Width = 12, Vocabulary = (2 * 8192) + 37;
        using var backend = Simulated.Backend();
        using var rig = new Rig(backend);
        float[] h = TestData.Normal(1, Rows * Width), w = Array.ConvertAll(TestData.Normal(2, Vocabulary * Width), x => ArraySource.RoundTo(type, x));
        int[] ids = [3, 8191, 8192, -100, Vocabulary - 1];
        Twin hidden = rig.Real(Rows, Width, h), weight = rig.Real(Vocabulary, Width, w, 0, type), labels = rig.Ints(ids), scales = rig.Real(1, Rows, [1, -0.5f, 2, 3, 0.25f]);
        Twin losses = rig.Output(1, Rows), dh = rig.Output(Rows, Width), dw = rig.Real(Vocabulary, Width, new float[Vocabulary * Width]);
        rig.Run(side => ((ITrainingBackend)side.Backend).LinearCrossEntropy(side[hidden], side[weight], side[labels], side[scales], side[losses], side[dh], side[dw]));
        rig.Compare("losses", losses, (_, _, _) => 2e-5);
        rig.Compare("hidden", dh, (_, _, _) => 2e-4);
        rig.Compare("weight", dw, (_, _, want) => 1e-6 + (1e-4 * Math.Abs(want)));

        float[] all = rig.Got(losses), gradients = rig.Got(dh);
        for (int row = 0; row < Rows; row++)
        {
            Twin one = rig.Real(1, Width, h.AsSpan(row * Width, Width).ToArray()), label = rig.Ints([ids[row]]), scale = rig.Real(1, 1, [new[] { 1, -0.5f, 2, 3, 0.25f }[row]]);
            Twin loss = rig.Output(1, 1), gradient = rig.Output(1, Width);
            backend.LinearCrossEntropy(On(rig, one), On(rig, weight), On(rig, label), On(rig, scale), On(rig, loss), On(rig, gradient));
            Assert.Equal(all[row], rig.Got(loss)[0]);
            Assert.Equal(gradients.AsSpan(row * Width, Width).ToArray(), rig.Got(gradient));
        }
    }

    [Fact]
    public void AdamW_leaves_a_rounded_copy_beside_its_master()
    {
        const int Count = 1027;
        using var backend = Simulated.Backend();
        using var rig = new Rig(backend);
        Twin p = rig.Real(1, Count, TestData.Normal(1, Count)), g = rig.Real(1, Count, TestData.Normal(2, Count)), m = rig.Real(1, Count, new float[Count]), v = rig.Real(1, Count, new float[Count]);
        var rounded = rig.Output(1, Count, 0, DType.BF16);
        backend.AdamW(On(rig, p), On(rig, g), On(rig, m), On(rig, v), new AdamWStep(1, 0.01f, 0.9f, 0.999f, 1e-8f, 0.1f, 1), On(rig, rounded));
        Assert.Equal(Array.ConvertAll(rig.Got(p), x => ArraySource.RoundTo(DType.BF16, x)), rig.Got(rounded));
    }

    [Fact]
    public void Products_and_attention_have_no_bank_conflicts()
    {
        using var backend = Simulated.Backend();
        using var rig = new Rig(backend);
        foreach (var compute in Enum.GetValues<CudaCompute>())
        {
            backend.Compute = compute;
            var counted = Simulated.Count(backend, () =>
            {
                foreach (int side in new[] { 64, 128 })
                {
                    backend.MatMulSide = side;
                    foreach (object[] layout in Layouts())
                    {
                        var (transposeA, transposeB) = ((bool)layout[0], (bool)layout[1]);
                        var (a, b, c) = Product(rig, 128, 128, 64, transposeA, transposeB, (DType)layout[2]);
                        backend.MatMul(On(rig, a), transposeA, On(rig, b), transposeB, On(rig, c));
                    }
                }

                foreach (int headDim in new[] { 64, 128, 256 })
                {
                    Attention(backend, headDim, 2e-2);
                }
            });
            Assert.All(counted.Where(k => k.Key.StartsWith("matmul", StringComparison.Ordinal) || k.Key.StartsWith("attention", StringComparison.Ordinal)), k =>
                Assert.True(k.Value.BankConflicts + k.Value.LdmatrixConflicts == 0, $"{k.Key}: {k.Value.BankConflicts} bank conflicts"));
            Assert.Contains(counted, k => k.Key.StartsWith("attention_keys", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_product_reads_each_operand_once_a_tile_and_writes_its_result_once()
    {
        const int M = 256, N = 128, K = 512, Side = 128;
        using var backend = Simulated.Backend();
        backend.MatMulSide = Side;
        using var rig = new Rig(backend);
        var (a, b, c) = Product(rig, M, N, K, false, true, DType.F32);
        var counted = Simulated.Count(backend, () => backend.MatMul(On(rig, a), false, On(rig, b), true, On(rig, c)))["matmul_f32_nt_128"];
        Assert.Equal(4L * ((M * K * (N / Side)) + (N * K * (M / Side))), counted.LoadBytes);
        Assert.Equal(4L * M * N, counted.StoreBytes);
        Assert.Equal(2L * M * N * K, counted.Flops);
    }

    private static Tensor On(Rig rig, Twin twin) => new Side(rig.Actual, actual: true)[twin];

    private static (Twin A, Twin B, Twin C) Product(Rig rig, int m, int n, int k, bool transposeA, bool transposeB, DType type) =>
        (rig.Real(transposeA ? k : m, transposeA ? m : k, TestData.Uniform(1, m * k)), rig.Real(transposeB ? n : k, transposeB ? k : n, TestData.Uniform(2, n * k), 0, type), rig.Output(m, n));

    // Sequences of 70, 0 and 3 rows, two query heads on one key head, against the float64 reference.
    private static void Attention(CudaBackend backend, int headDim, double tolerance)
    {
        const int Heads = 2, T = 73;
        using var reference = new ReferenceBackend();
        using var rig = new Pair(backend, reference);
        int width = (Heads + 2) * headDim;
        float scale = 1 / MathF.Sqrt(headDim);
        Tensor[] qkv = rig.Real(T, width, TestData.Uniform(headDim, T * width)), starts = rig.Ints([0, 70, 70, T]), y = rig.Real(T, Heads * headDim), lse = rig.Real(T, Heads);
        Tensor[] g = rig.Real(T, Heads * headDim, TestData.Uniform(headDim + 1, T * Heads * headDim)), d = rig.Real(T, width);
        rig.Run((ops, i) =>
        {
            ops.AttentionTrain(qkv[i], Heads, 1, starts[i], scale, y[i], lse[i]);
            ops.AttentionBackward(qkv[i], Heads, 1, starts[i], scale, y[i], lse[i], g[i], d[i]);
        });
        rig.Compare(y, tolerance);
        rig.Compare(lse, tolerance);
        rig.Compare(d, tolerance);
    }

    /// <summary>Operands on a backend that stays open, and on the reference.</summary>
    private sealed class Pair(CudaBackend backend, ReferenceBackend reference) : IDisposable
    {
        private readonly List<DeviceMemory> _owned = [];
        private readonly ITrainingBackend[] _sides = [backend, reference];

        public Tensor[] Real(int rows, int columns, float[]? values = null) => Create(rows, columns, DType.F32, values ?? new float[rows * columns]);

        public Tensor[] Ints(int[] values) => Create(1, values.Length, DType.I32, values);

        public void Run(Action<ITrainingBackend, int> operation)
        {
            operation(_sides[0], 0);
            operation(_sides[1], 1);
        }

        public void Compare(Tensor[] tensor, double tolerance)
        {
            float[] got = new float[tensor[0].Count], want = new float[tensor[0].Count];
            _sides[0].Download(tensor[0], got.AsSpan());
            _sides[1].Download(tensor[1], want.AsSpan());
            Assert.All(got.Zip(want), x => Assert.InRange(Math.Abs(x.First - x.Second), 0, tolerance));
        }

        public void Dispose() => _owned.ForEach(m => m.Dispose());

        private Tensor[] Create<T>(int rows, int columns, DType type, T[] values)
            where T : unmanaged =>
            [.. _sides.Select(side =>
            {
                var memory = side.Allocate(Math.Max(64, values.Length * 4L));
                _owned.Add(memory);
                var tensor = memory.Tensor(type, rows, columns);
                side.Upload<T>(values, tensor);
                return tensor;
            })];
    }
}
