using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Cpu;
using Farm.Training.Data;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Parity;

/// <summary>Losses, optimiser, clipping and schedules against PyTorch's float64 values in rl.json.</summary>
public sealed class TrainingFormulaTests : IDisposable
{
    private static readonly JsonNode Golden = JsonNode.Parse(File.ReadAllText(Shared.Path("data", "golden", "rl.json")))!;
    private readonly CpuBackend _backend = new(2);
    private readonly List<DeviceMemory> _memory = [];

    public static TheoryData<string> Pairs => ["random", "tie_and_saturation"];

    public static TheoryData<string> Optimisers => ["sft-like", "decay"];

    public static TheoryData<string> Clips => ["over", "under", "zero"];

    public void Dispose()
    {
        _memory.ForEach(m => m.Dispose());
        _backend.Dispose();
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Pairwise_losses_gradients_and_metrics(string name)
    {
        var block = Golden["pairwise_reward"]![name]!;
        double[] rewards = Data(block["inputs"]!["rewards"]), choices = Data(block["inputs"]!["choice"]), gradients = Data(block["outputs"]!["grad_rewards"]);
        var task = new PairwiseTask();
        var results = new List<ExampleResult>();
        for (int i = 0; i < choices.Length; i++)
        {
            var example = new TrainingExample([[1], [2]], Target: choices[i]);
            float[] own = [(float)rewards[2 * i], (float)rewards[(2 * i) + 1]], gradient = new float[2];
            results.Add(new ExampleResult(example, task.Loss(example, own, gradient), 1, own));
            Assert.Equal(gradients[2 * i], gradient[0] / choices.Length, 1e-6);
            Assert.Equal(gradients[(2 * i) + 1], gradient[1] / choices.Length, 1e-6);
        }

        double loss = Data(block["outputs"]!["loss"])[0];
        Assert.Equal(loss, results.Average(r => r.Loss), 1e-6 * Math.Max(1, loss));
        var metrics = task.EvaluationMetrics(results).ToDictionary();
        foreach (string metric in new[] { "accuracy", "label_positive_rate", "positive_rate" })
        {
            Assert.Equal(Data(block["outputs"]![metric])[0], metrics[metric], 1e-12);
        }
    }

    [Theory]
    [MemberData(nameof(Optimisers))]
    public void Parameters_after_AdamW_steps(string name)
    {
        var block = Golden["adamw"]![name]!;
        var numbers = block["parameters"]!;
        for (int p = 0; p < 2; p++)
        {
            Tensor parameter = Device(Data(block["inputs"]!["initial"]![p])), gradient = Device(new double[parameter.Columns]), first = Device(new double[parameter.Columns]), second = Device(new double[parameter.Columns]);
            for (int step = 1; step <= 5; step++)
            {
                _backend.Upload<float>([.. Data(block["inputs"]!["gradients"]![step - 1]![$"gradient_{p}"]).Select(v => (float)v)], gradient);
                _backend.AdamW(parameter, gradient, first, second, new AdamWStep(
                    step, (float)numbers["lr_of_each_step"]![step - 1]!, (float)numbers["beta1"]!, (float)numbers["beta2"]!, (float)numbers["eps"]!, (float)numbers["weight_decay"]!, 1));
                double[] expected = Data(block["outputs"]![step - 1]![$"parameter_{p}"]);
                Assert.All(expected.Zip(Host(parameter)), pair => Assert.Equal(pair.First, pair.Second, 2e-6 * Math.Max(1, Math.Abs(pair.First))));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Clips))]
    public void Clipping_factors(string name)
    {
        var block = Golden["clip_global_norm"]![name]!;
        double squares = block["inputs"]!.AsObject().Sum(g => _backend.SumOfSquares(Device(Data(g.Value))));
        Assert.Equal(Data(block["outputs"]!["norm"])[0], Math.Sqrt(squares), 1e-6);
        Assert.Equal(Data(block["outputs"]!["factor"])[0], AdamWOptimizer.ClipFactor(Math.Sqrt(squares), (double)block["parameters"]!["max_norm"]!), 1e-6);
    }

    [Fact]
    public void Schedules()
    {
        var block = Golden["schedules"]!;
        int total = (int)block["parameters"]!["N"]!, warmup = (int)block["parameters"]!["warmup"]!;
        foreach (var (name, kind) in new[] { ("linear", ScheduleKind.Linear), ("cosine", ScheduleKind.Cosine) })
        {
            double[] expected = Data(block[name]);
            for (int k = 0; k < total; k++)
            {
                Assert.Equal(expected[k], new LearningRateSchedule(kind, total, warmup).Factor(k), 1e-12);
            }
        }
    }

    [Fact]
    public void Cross_entropy_and_its_gradient()
    {
        var block = Golden["sft_loss"]!;
        double[] logits = Data(block["inputs"]!["logits"]), labels = Data(block["inputs"]!["labels"]), expected = Data(block["outputs"]!["grad_logits_alpacafarm"]);
        double[] perExample = Data(block["outputs"]!["per_example_loss"]);
        const int Rows = 3, Length = 7, Vocabulary = 11;
        // With the identity as weight, hidden states are logits.
        var identity = Device([.. Enumerable.Range(0, Vocabulary * Vocabulary).Select(i => i % (Vocabulary + 1) == 0 ? 1.0 : 0)], Vocabulary);
        for (int row = 0; row < Rows; row++)
        {
            int[] own = [.. Enumerable.Range(1, Length - 1).Select(t => (int)labels[(row * Length) + t])];
            int count = own.Count(l => l >= 0);
            var hidden = Device(logits[(row * Length * Vocabulary)..(((row * Length) + Length - 1) * Vocabulary)], Length - 1);
            Tensor gradient = Device(new double[hidden.Count], Length - 1), losses = Device(new double[Length - 1]), scales = Device([.. own.Select(_ => 1.0 / (Rows * count))]);
            var device = Allocate(DType.I32, 1, own.Length);
            _backend.Upload<int>(own, device);
            _backend.LinearCrossEntropy(hidden, identity, device, scales, losses, gradient);
            Assert.Equal(perExample[row], Host(losses).Sum(v => (double)v) / count, 1e-5);
            float[] actual = Host(gradient);
            for (int i = 0; i < actual.Length; i++)
            {
                Assert.Equal(expected[(row * Length * Vocabulary) + i], actual[i], 1e-6);
            }
        }
    }

    private static double[] Data(JsonNode? node) => [.. node!["data"]!.AsArray().Select(v => (double)v!)];

    private Tensor Allocate(DType type, int rows, int columns)
    {
        var memory = _backend.Allocate(Math.Max(64, rows * columns * 4));
        _memory.Add(memory);
        return memory.Tensor(type, rows, columns);
    }

    private Tensor Device(double[] values, int rows = 1)
    {
        var tensor = Allocate(DType.F32, rows, values.Length / rows);
        _backend.Upload<float>([.. values.Select(v => (float)v)], tensor);
        return tensor;
    }

    private float[] Host(Tensor tensor)
    {
        var values = new float[tensor.Count];
        _backend.Download<float>(tensor, values);
        return values;
    }
}
