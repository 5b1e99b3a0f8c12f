using Farm.Core;
using Farm.Cuda.Driver;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Training;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>What operations take beside their operands, measured on shapes, against what they take when they run.</summary>
public sealed class ScratchPlanTests : IDisposable
{
    // A head that is no kernel's width, features that are no multiple of 4, and logits that are small beside attention's planes.
    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 70,
        HiddenSize = 66,
        IntermediateSize = 90,
        Layers = 1,
        AttentionHeads = 3,
        KeyValueHeads = 1,
        HeadDim = 22,
        MaxPositionEmbeddings = 64,
        BosId = 0,
        EosIds = [1],
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("farm scratch ").FullName;

    public ScratchPlanTests() => RandomCheckpoint.Write(_folder, Config, seed: 3, DType.F32);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(CudaCompute.F32, false, false)]
    [InlineData(CudaCompute.BF16, false, false)]
    [InlineData(CudaCompute.F32, true, false)]
    [InlineData(CudaCompute.BF16, true, true)]
    [InlineData(CudaCompute.F32, false, true)]
    public void A_step_takes_what_its_shapes_say(CudaCompute compute, bool bf16, bool adapters)
    {
        using var gpu = Simulated.Backend();
        gpu.Compute = compute;
        var options = new TrainableLlamaOptions { DType = bf16 ? DType.BF16 : DType.F32, MaxPositions = 64, Lora = adapters ? new LoraOptions { Rank = 3, TargetModules = [LoraOptions.AllLinear] } : null };
        TrainingExample[] examples = [.. Enumerable.Range(0, 2).Select(s => new TrainingExample([[.. Enumerable.Range(0, 40).Select(i => 2 + (((i * 11) + s) % 60))]], FirstLabel: 1))];
        var run = new TrainerOptions { OutputFolder = Path.GetTempPath(), MicroBatch = 2, Accumulation = 1, MaxSteps = 1, LearningRate = 1e-3, Schedule = ScheduleKind.Constant, WarmupRatio = 0 };
        var plan = TrainingMemoryPlan.For(Config, options, Trainer.RowsOfPass(examples, [], run), gpu);
        Assert.Equal(0, gpu.ScratchBytes);
        using var checkpoint = Checkpoint.Open(_folder);
        using var model = TrainableLlama.Load(gpu, checkpoint, Config, options);
        using var trainer = new Trainer(model, new SftTask(), examples, [], run, [], []);
        trainer.Update(0);
        // The operation after the one that took most brings it into one block.
        trainer.Update(0);
        Assert.True(gpu.ScratchBytes > 64 << 10, $"{gpu.ScratchBytes} bytes are the least that are ever held");
        Assert.InRange(plan.Scratch / (double)gpu.ScratchBytes, 0.99, 1.1);
    }

    [Fact]
    public void Measuring_runs_and_holds_nothing()
    {
        using var gpu = Simulated.Backend();
        gpu.Synchronize();
        var before = Ledger.Snapshot();
        long launches = gpu.Launches, scratch = gpu.ScratchFor(() =>
        {
            // 2^40 elements: no memory of the simulator's holds them.
            Tensor a = gpu.Shape(DType.F32, 1 << 20, 1 << 20), narrow = gpu.Shape(DType.F32, 1 << 20, 2);
            gpu.MatMul(a, false, a, true, a);
            gpu.MatMul(narrow, false, gpu.Shape(DType.F32, 1 << 20, 2), true, a);
            using var weight = gpu.WeightOfShape(1 << 16, 1 << 16, DType.BF16);
            Assert.Equal(1L << 33, weight.Bytes);
            gpu.Linear(gpu.Shape(DType.F32, 100, 1 << 16), weight, gpu.Shape(DType.F32, 100, 1 << 16));
            Assert.Equal(0, gpu.SumOfSquares(a));
        });

        // Rows of 100 in tiles of 16, three bfloat16 terms; both narrow operands on 16 bytes; and partial sums, the largest of the three.
        long linear = 112L * (1 << 16) * 3 * sizeof(ushort), narrows = 2L * (1 << 20) * 4 * sizeof(float), sums = ((1L << 40) / 16384 * sizeof(double)) + 256;
        Assert.Equal(Math.Max(linear, Math.Max(narrows, sums)), scratch);
        Assert.Equal(launches, gpu.Launches);
        Assert.Equal(before, Ledger.Snapshot());
    }

    [Fact]
    public void What_is_reserved_is_taken_once()
    {
        using var gpu = Simulated.Backend();
        using var memory = gpu.Allocate(4 * 130 * 130 * sizeof(float));
        Tensor a = memory.Tensor(DType.F32, 130, 130), b = memory.Tensor(DType.F32, 130, 130, 130 * 130 * sizeof(float)), c = memory.Tensor(DType.F32, 130, 130, 2 * 130 * 130 * sizeof(float));
        long needed = gpu.ScratchFor(() => gpu.MatMul(a, false, b, false, c));
        Assert.True(needed > 64 << 10);
        gpu.ReserveScratch(needed);
        Assert.Equal(needed, gpu.ScratchBytes);
        long buffers = Ledger.Buffers;
        Ledger.ForgetMost();
        long most = Ledger.MostBytes;
        gpu.MatMul(a, false, b, false, c);
        gpu.Synchronize();
        Assert.Equal((buffers, most), (Ledger.Buffers, Ledger.MostBytes));
        gpu.ReserveScratch(needed / 2);
        Assert.Equal(needed, gpu.ScratchBytes);
    }
}
