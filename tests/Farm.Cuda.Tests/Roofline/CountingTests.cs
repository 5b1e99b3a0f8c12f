using Farm.Core;
using Farm.Cuda.Driver;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Roofline;

namespace Farm.Cuda.Tests.Roofline;

/// <summary>Counts of models and shapes too large to simulate whole, against whole simulations of small ones.</summary>
public sealed class CountingTests
{
    private const int Rows = 640;

    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 512,
        HiddenSize = 128,
        IntermediateSize = 256,
        Layers = 3,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 32,
        MaxPositionEmbeddings = 512,
        BosId = 0,
        EosIds = [1],
    };

    public static TheoryData<string> Operations => ["linear", "gate-up", "forward", "input-gradient", "weight-gradient", "cross-entropy", "rms-norm", "rms-norm-backward", "swiglu-backward", "attention"];

    [Theory]
    [MemberData(nameof(Operations))]
    public void Rows_carried_on_from_few_are_the_rows_counted_whole(string operation)
    {
        LaunchCount[] carried;
        using (var counting = new CountingBackend(bf16Activations: true))
        {
            counting.SequenceTokens = 128;
            counting.Begin();
            Run(counting, operation);
            // Operations share kernels; the simulator sums over all launches of one.
            carried = [.. counting.Launches.GroupBy(l => l.Kernel).OrderBy(g => g.Key, StringComparer.Ordinal).Select(Together)];
        }

        using var whole = new CudaBackend(simulator: true, bf16Activations: true) { Compute = CudaCompute.BF16 };
        var counted = Simulated.Count(whole, () => Run(whole, operation));
        Assert.Contains(carried, l => l.CountedRows > 0);
        Assert.Equal(counted.Keys.Order(StringComparer.Ordinal), carried.Select(l => l.Kernel));
        Assert.All(carried, l => Equal(counted[l.Kernel], l, 1e-6));
    }

    [Fact]
    public void Columns_carried_on_from_few_are_the_columns_counted_whole()
    {
        const int Vocabulary = 36864;
        LaunchCount carried;
        using (var counting = new CountingBackend(bf16Activations: true))
        {
            counting.Begin();
            Linear(counting, 16, 64, Vocabulary, LinearLayout.Concatenated);
            carried = Assert.Single(counting.Launches);
        }

        Assert.Equal(18432, carried.CountedColumns);
        using var whole = new CudaBackend(simulator: true, bf16Activations: true);
        var counted = Assert.Single(Simulated.Count(whole, () => Linear(whole, 16, 64, Vocabulary, LinearLayout.Concatenated)));
        Assert.Equal(counted.Key, carried.Kernel);
        Equal(counted.Value, carried, 1e-6);
    }

    [Fact]
    public void A_step_whose_operations_are_counted_once_is_the_step_counted_whole()
    {
        PassCount step;
        using (var counting = new CountingBackend(bf16Activations: true))
        {
            using var counter = new DecodeCounter(counting, "small", Config, bf16Activations: true);
            step = counter.Step(prompts: 2, samples: 16, promptTokens: 130, position: 20);
        }

        var carried = step.Launches.GroupBy(l => l.Kernel).ToDictionary(g => g.Key, g => (Times: g.Sum(l => l.Times), Bytes: g.Sum(l => l.Times * l.Bytes), Tensor: g.Sum(l => l.Times * l.TensorFlops)));
        var counted = WholeStep(2, 16, 130, 20);
        Assert.Equal(counted.Keys.Order(StringComparer.Ordinal), carried.Keys.Order(StringComparer.Ordinal));
        Assert.All(counted, k =>
        {
            Assert.Equal(k.Value.Launches, carried[k.Key].Times);
            Assert.Equal(k.Value.MmaFlops, carried[k.Key].Tensor, 1.0);
            Assert.InRange(carried[k.Key].Bytes / k.Value.UniqueBytes, 0.999, 1.001);
        });
    }

    [Fact]
    public void Training_of_a_model_is_counted_without_its_memory()
    {
        using var counting = new CountingBackend(bf16Activations: true);
        var passes = TrainingCounter.Count(counting, "small", Config, sequences: 4, tokens: 128).ToList();
        Assert.Equal(["gradients", "update"], passes.Select(p => p.Pass));
        double weights = 3 * ((128.0 * 256) + (128 * 128) + (3 * 128 * 256)) + (128 * 512);
        Assert.InRange(passes[0].TensorFlops / (2 * passes[0].Rows * weights), 3, 4.5);
        Assert.Equal(3, passes[0].Launches.Where(l => l.Kernel.StartsWith("attention_train", StringComparison.Ordinal)).Sum(l => l.Times));
        // Masters, gradients and two moments of float32, read or written by one update: gradients zeroed, squared and used, the rest read and written, a bf16 copy made.
        double parameters = TensorLayout.ParameterCount(Config);
        Assert.InRange(passes[1].Bytes / parameters, 35, 60);
    }

    private static IReadOnlyDictionary<string, SimulatorCounters> WholeStep(int prompts, int samples, int promptTokens, int position)
    {
        using var backend = new CudaBackend(simulator: true, bf16Activations: true);
        using var checkpoint = new BlankCheckpoint(Config);
        using var model = LlamaModel.Load(backend, checkpoint, Config, DType.BF16, maxPositions: 512);
        int rows = prompts * samples, prefix = KvPool.PagesFor(promptTokens);
        using var workspace = model.CreateWorkspace(rows, rows);
        using var pool = backend.CreateKvPool(model.KvShape(), (prompts * prefix) + rows);
        using var memory = backend.Allocate(4096);
        var batch = new ForwardBatch(rows, rows, pool.Pages);
        for (int p = 0, next = 0; p < prompts; p++)
        {
            batch.BeginGroup(promptTokens, [.. Enumerable.Range(next, prefix)]);
            next += prefix;
            for (int s = 0; s < samples; s++)
            {
                batch.Add([(batch.Rows * 31) % Config.VocabularySize], position, [next++]);
            }
        }

        return Simulated.Count(backend, () =>
        {
            var logits = model.Logits(model.Forward(batch, pool, workspace), workspace);
            backend.Sample(logits, new SamplingParameters(), 1, memory.Tensor(DType.I32, rows, 3), memory.Tensor(DType.I32, 1, rows, 1024), memory.Tensor(DType.F32, 1, rows, 2048));
        });
    }

    private static void Run(ITrainingBackend backend, string operation)
    {
        if (operation is "linear" or "gate-up")
        {
            Linear(backend, Rows, 256, 384, operation == "linear" ? LinearLayout.Concatenated : LinearLayout.GateUp);
            return;
        }

        using var memory = backend.Allocate(32 << 20);
        long used = 0;
        Tensor Take(DType type, int rows, int columns)
        {
            var tensor = memory.Tensor(type, rows, columns, used);
            used += ((rows * (long)columns * type.Size()) + 255) / 256 * 256;
            return tensor;
        }

        Tensor Real(int rows, int columns) => Take(DType.F32, rows, columns);
        switch (operation)
        {
            case "forward":
                backend.MatMul(Real(Rows, 256), false, Take(DType.BF16, 384, 256), true, Real(Rows, 384));
                break;
            case "input-gradient":
                backend.MatMul(Real(Rows, 384), false, Take(DType.BF16, 384, 256), false, Real(Rows, 256));
                break;
            case "weight-gradient":
                backend.MatMul(Real(Rows, 384), true, Real(Rows, 256), false, Real(384, 256), true);
                break;
            case "cross-entropy":
                backend.LinearCrossEntropy(Real(Rows, 128), Take(DType.BF16, 1024, 128), Take(DType.I32, 1, Rows), Real(1, Rows), Real(1, Rows), Real(Rows, 128), Real(1024, 128));
                break;
            case "rms-norm":
                backend.RmsNorm(Real(Rows, 256), Real(1, 256), 1e-5f, Real(Rows, 256));
                break;
            case "rms-norm-backward":
                // Whole blocks of 256 rows, as a micro-batch is.
                backend.RmsNormBackward(Real(768, 256), Real(1, 256), 1e-5f, Real(768, 256), Real(768, 256), Real(1, 256));
                break;
            case "swiglu-backward":
                backend.SwiGluBackward(Real(Rows, 512), Real(Rows, 256), Real(Rows, 512));
                break;
            default:
                Tensor qkv = Real(Rows, 8 * 32), starts = Take(DType.I32, 1, 6), y = Real(Rows, 4 * 32), sums = Real(Rows, 4);
                backend.Upload<int>([0, 128, 256, 384, 512, 640], starts);
                backend.AttentionTrain(qkv, 4, 2, starts, 0.2f, y, sums);
                backend.AttentionBackward(qkv, 4, 2, starts, 0.2f, y, sums, y, Real(Rows, 8 * 32));
                break;
        }
    }

    private static void Linear(IBackend backend, int rows, int inner, int outer, LinearLayout layout)
    {
        IRowSource[] parts = [.. Enumerable.Range(0, layout == LinearLayout.GateUp ? 2 : 1).Select(i => new Zeros(outer, inner))];
        using var weight = backend.PackLinear(parts, DType.BF16, layout);
        using var memory = backend.Allocate(4L * rows * (inner + outer));
        backend.Synchronize();
        backend.Linear(memory.Tensor(DType.F32, rows, inner), weight, memory.Tensor(DType.F32, rows, outer, 4L * rows * inner));
        backend.Synchronize();
    }

    private static LaunchCount Together(IEnumerable<LaunchCount> launches)
    {
        LaunchCount[] all = [.. launches];
        double times = all.Sum(l => l.Times);
        double Mean(Func<LaunchCount, double> value) => all.Sum(l => l.Times * value(l)) / times;
        return all[0] with { Times = (long)times, Bytes = Mean(l => l.Bytes), CacheBytes = Mean(l => l.CacheBytes), TensorFlops = Mean(l => l.TensorFlops), Flops = Mean(l => l.Flops) };
    }

    private static void Equal(SimulatorCounters counted, LaunchCount carried, double tolerance)
    {
        void Close(double want, double got, string what) => Assert.True(Math.Abs(got - want) <= tolerance * Math.Max(want, 1), $"{carried.Kernel} {what}: {got}, counted {want}");
        Close(counted.Launches, carried.Times, "launches");
        Close(counted.UniqueBytes, carried.Times * carried.Bytes, "bytes");
        Close(counted.LoadSectorBytes + counted.StoreSectorBytes, carried.Times * carried.CacheBytes, "cache bytes");
        Close(counted.MmaFlops, carried.Times * carried.TensorFlops, "tensor operations");
        Close(counted.Flops, carried.Times * carried.Flops, "float operations");
    }

    private sealed class Zeros(int rows, int columns) : IRowSource
    {
        public string Name => "zeros";

        public int Rows => rows;

        public int Columns => columns;

        public DType DType => DType.BF16;

        public void Read(int firstRow, int count, Span<byte> destination) => destination.Clear();
    }
}
