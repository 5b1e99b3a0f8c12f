using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Cpu;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;
using Farm.Training;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Parity;

/// <summary>SFT examples, losses, gradients and AdamW steps of the fixture models against PyTorch's values.</summary>
public sealed class TrainingGoldenTests
{
    private static readonly JsonArray Golden = JsonNode.Parse(File.ReadAllText(Shared.Path("models", "golden.json")))!["sft"]!.AsArray();

    public static TheoryData<int> Models => [0, 1];

    public static TheoryData<int, string> Updates => new() { { 0, "sft" }, { 0, "decay" }, { 1, "sft" } };

    [Fact]
    public void Examples_of_rows_are_those_of_AlpacaFarm()
    {
        var block = Golden[0]!;
        var builder = new ExampleBuilder(TokenizerLoader.Load(Shared.Path("models", "fixture-sft")), TokenizerSettings.Load(Shared.Path("models", "fixture-sft")).Eos, PromptDictionary.Default, 512);
        var set = builder.Sft(block["rows"]!.AsArray().Select(r => new SftRow("row", (string)r!["instruction"]!, (string)r["input"]!, (string)r["output"]!)));
        var expected = Examples(block);
        Assert.Equal(expected.Select(e => e.Sequences[0]), set.Examples.Select(e => e.Sequences[0]));
        Assert.Equal(expected.Select(e => e.FirstLabel), set.Examples.Select(e => e.FirstLabel));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Losses_and_every_gradient_are_those_of_PyTorch(int index)
    {
        var block = Golden[index]!;
        using var backend = new CpuBackend(2);
        using var model = Load(backend, block, false);
        var examples = Examples(block);
        using var workspace = model.CreateWorkspace(examples.Sum(e => e.Rows));
        var task = new SftTask();
        var results = task.Pass(model, workspace, new PackedBatch(), examples, [.. examples.Select(e => 1f / (examples.Count * task.Units(e)))]);
        double[] losses = [.. block["per_example_loss"]!.AsArray().Select(v => (double)v!)];
        for (int i = 0; i < losses.Length; i++)
        {
            Assert.Equal(losses[i], results[i].Loss, 2e-5);
        }

        Assert.Equal((double)block["loss_token_weighted"]!, results.Sum(r => r.LossSum) / results.Sum(r => r.Units), 2e-5);
        var gradients = block["gradients"]!.AsObject();
        Assert.Equal(gradients.Select(g => g.Key).Order(), model.Trained.Names.Order());
        foreach (var (name, expected) in gradients)
        {
            float[] values = Download(backend, model.Trained.GradientOf(name));
            double norm = (double)expected!["l2"]!;
            Assert.True(Math.Abs(Math.Sqrt(values.Sum(v => (double)v * v)) - norm) <= 2e-5 * norm, name);
            Assert.True(Math.Abs(values.Sum(v => (double)v) - (double)expected["sum"]!) <= 2e-4 + (1e-5 * norm), name);
            foreach (var probe in expected["probe"]!.AsArray())
            {
                Assert.Equal((double)probe![1]!, values[(int)probe[0]!], 1e-5 + (1e-5 * norm));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Recomputation_changes_no_bit(int index)
    {
        Assert.Equal(Gradient(false), Gradient(true));

        float[] Gradient(bool recompute)
        {
            using var backend = new CpuBackend(2);
            using var model = Load(backend, Golden[index]!, recompute);
            var examples = Examples(Golden[index]!);
            using var workspace = model.CreateWorkspace(examples.Sum(e => e.Rows));
            new SftTask().Pass(model, workspace, new PackedBatch(), examples, [1, 1, 1, 1]);
            return Download(backend, model.Trained.Gradients);
        }
    }

    [Theory]
    [MemberData(nameof(Updates))]
    public void Losses_and_norms_after_AdamW_steps_are_those_of_PyTorch(int index, string name)
    {
        var block = Golden[index]!;
        var golden = block["adamw"]![name]!;
        var numbers = golden["hyperparameters"]!;
        var examples = Examples(block);
        using var backend = new CpuBackend(2);
        using var model = Load(backend, block, false);
        using var trainer = new Trainer(model, new SftTask(), examples, examples, new TrainerOptions
        {
            OutputFolder = Path.GetTempPath(),
            MicroBatch = 4,
            Accumulation = 1,
            MaxSteps = 3,
            LearningRate = (double)numbers["lr"]!,
            Schedule = ScheduleKind.Constant,
            WarmupRatio = 0,
            MaxGradNorm = (double?)numbers["max_grad_norm"] ?? 0,
            AdamW = new AdamWOptions { Epsilon = (double)numbers["eps"]!, WeightDecay = (double)numbers["weight_decay"]! },
        },
        [], []);
        double[] losses = [.. golden["loss_before_each_step_and_after"]!.AsArray().Select(v => (double)v!)];
        for (int i = 0; i < 3; i++)
        {
            var update = trainer.Update(i);
            Assert.Equal(losses[i], update.Loss, 2e-4);
            double norm = (double)golden["grad_norm_before_clipping"]![i]!;
            Assert.Equal(norm, update.GradientNorm, 1e-3 * norm);
        }

        Assert.Equal(losses[3], trainer.Evaluate()[0].Value, 2e-4);
        foreach (var (parameter, expected) in golden["parameters"]!.AsObject())
        {
            double norm = (double)expected!["l2"]!;
            Assert.Equal(norm, Math.Sqrt(Download(backend, model.Trained.ValueOf(parameter)).Sum(v => (double)v * v)), 1e-4 * norm);
        }
    }

    private static TrainableLlama Load(CpuBackend backend, JsonNode block, bool recompute)
    {
        string folder = Shared.Path("models", (string)block["model"]!);
        using var checkpoint = Checkpoint.Open(folder);
        return TrainableLlama.Load(backend, checkpoint, ModelConfig.Load(folder), new TrainableLlamaOptions { Recompute = recompute, MaxPositions = 512 });
    }

    private static List<TrainingExample> Examples(JsonNode block)
    {
        var examples = new List<TrainingExample>();
        foreach (var (ids, labels) in block["ids"]!.AsArray().Zip(block["labels"]!.AsArray()))
        {
            int first = labels!.AsArray().TakeWhile(l => (int)l! == -100).Count();
            // Rows are padded on the right in the file's tensors; the ids listed may or may not be.
            int length = labels.AsArray().Count - labels.AsArray().Reverse().TakeWhile(l => (int)l! == -100).Count();
            examples.Add(new TrainingExample([[.. ids!.AsArray().Take(length).Select(i => (int)i!)]], first));
        }

        return examples;
    }

    private static float[] Download(CpuBackend backend, Tensor tensor)
    {
        var values = new float[tensor.Count];
        backend.Download<float>(tensor, values);
        return values;
    }
}
