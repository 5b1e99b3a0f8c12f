using Farm.Core;
using Farm.Cpu;
using Farm.Models.Checkpoints;
using Farm.Training;
using Farm.Training.Data;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>Whole updates, forward, backward, clipping and AdamW, on the simulated GPU and on the CPU.</summary>
public sealed class TrainingStepTests(TinyLlama models) : IClassFixture<TinyLlama>
{
    private static readonly TrainingExample[] Sequences = [.. Enumerable.Range(0, 3)
        .Select(s => new TrainingExample([[.. Enumerable.Range(0, 20 + (9 * s)).Select(i => 2 + (((i * 11) + (s * 5)) % 120))]], FirstLabel: 4))];

    private static readonly TrainingExample[] Pairs = [.. Enumerable.Range(0, 3)
        .Select(s => new TrainingExample([[0, 3 + s, 9, 12, 40], [0, 3 + s, 9, 77]], Target: s % 2))];

    private static readonly TrainingExample[] Preferences = [.. Enumerable.Range(0, 3)
        .Select(s => new TrainingExample([[0, 3 + s, 9, 12, 40, 1], [0, 3 + s, 9, 77, 5 + s, 30, 8, 1]], FirstLabel: 3))];

    [Theory]
    [InlineData(CudaCompute.F32, 2e-4)]
    [InlineData(CudaCompute.BF16, 2e-2)]
    public void An_sft_step_is_the_cpus(CudaCompute compute, double tolerance) => Compare(() => new SftTask(), Sequences, ModelHead.Language, compute, tolerance);

    [Theory]
    [InlineData(CudaCompute.F32, 2e-4)]
    [InlineData(CudaCompute.BF16, 2e-2)]
    public void A_reward_modeling_step_is_the_cpus(CudaCompute compute, double tolerance) => Compare(() => new PairwiseTask(), Pairs, ModelHead.Reward, compute, tolerance);

    [Theory]
    [InlineData(CudaCompute.F32, 2e-4)]
    [InlineData(CudaCompute.BF16, 2e-2)]
    public void A_dpo_step_is_the_cpus(CudaCompute compute, double tolerance) => Compare(() => new DpoTask(0.5), Preferences, ModelHead.Language, compute, tolerance);

    // The first AdamW step moves every weight by about the learning rate in the sign of its gradient, so gradients are compared by their norm and loss, and weights
    // over several updates by the distance that they moved.
    private void Compare(Func<TrainingTask> task, TrainingExample[] examples, ModelHead head, CudaCompute compute, double tolerance)
    {
        using var cpu = new CpuBackend(2);
        using var gpu = Simulated.Backend();
        gpu.Compute = compute;
        var (wantUpdates, start, want) = Train(cpu, task(), examples, head);
        var (gotUpdates, _, got) = Train(gpu, task(), examples, head);
        for (int i = 0; i < wantUpdates.Length; i++)
        {
            Assert.Equal(wantUpdates[i].Loss, gotUpdates[i].Loss, tolerance * Math.Max(1, Math.Abs(wantUpdates[i].Loss)));
            Assert.Equal(wantUpdates[i].GradientNorm, gotUpdates[i].GradientNorm, 5 * tolerance * wantUpdates[i].GradientNorm);
        }

        double moved = 0, apart = 0;
        for (int i = 0; i < want.Length; i++)
        {
            moved += Math.Pow(want[i] - start[i], 2);
            apart += Math.Pow(want[i] - got[i], 2);
        }

        Assert.True(moved > 0);
        Assert.InRange(Math.Sqrt(apart / moved), 0, compute == CudaCompute.F32 ? 0.02 : 0.2);
    }

    private (UpdateResult[] Updates, float[] Start, float[] End) Train(ITrainingBackend backend, TrainingTask task, TrainingExample[] examples, ModelHead head)
    {
        using var checkpoint = Checkpoint.Open(models.Decoder);
        using var model = TrainableLlama.Load(backend, checkpoint, TinyLlama.Config, new TrainableLlamaOptions { Head = head, Seed = 1, MaxPositions = 64 });
        float[] start = Weights(backend, model);
        if (task is DpoTask)
        {
            // Each device is its own reference.
            string cache = Directory.CreateTempSubdirectory("farm dpo ").FullName;
            using var workspace = model.CreateWorkspace(64);
            examples = [.. SequenceLogProbs.WithReference(model, workspace, examples, "tiny", cache).Examples];
            Directory.Delete(cache, recursive: true);
        }

        using var trainer = new Trainer(
            model, task, examples, [], new TrainerOptions
            {
                OutputFolder = Path.GetTempPath(),
                MicroBatch = 3,
                Accumulation = 1,
                Epochs = 2,
                LearningRate = 1e-3,
                Schedule = ScheduleKind.Constant,
                WarmupRatio = 0,
            },
            [], []);
        UpdateResult[] updates = [trainer.Update(0), trainer.Update(1)];
        return (updates, start, Weights(backend, model));
    }

    private static float[] Weights(ITrainingBackend backend, TrainableLlama model) => [.. model.Trained.Parameters.SelectMany(p =>
    {
        var values = new float[p.Value.Count];
        backend.Download(p.Value, values.AsSpan());
        return values;
    })];
}
