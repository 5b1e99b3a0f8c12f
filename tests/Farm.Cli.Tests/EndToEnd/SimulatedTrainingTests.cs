using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>The verbs that train, on the simulated GPU and on the CPU in float32: the same losses, and weights that moved the same way.</summary>
public sealed class SimulatedTrainingTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    // Sums of float32 in another order; the first AdamW steps move a weight by the sign of its gradient, which may differ where that is near zero.
    private const double Close = 1e-3, Apart = 0.05;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sft")]
    [InlineData("reward", "--eval-size", "2")]
    [InlineData("feedme")]
    [InlineData("reward-condition")]
    [InlineData("dpo", "--eval-size", "2")]
    [InlineData("sft", "--lora-rank", "2", "--lora-target-modules", "all-linear", "--recompute")]
    public void Should_learn_on_the_simulator_what_it_learns_on_the_cpu(string verb, params string[] more)
    {
        string[] command =
        [
            verb, "--model", models.Decoder, "--train", verb == "sft" ? Demonstrations() : Pairs(), "--prompt-dict", Templates(), "--model-max-length", "64", "--max-steps", "2", "--warmup-steps", "0",
            "--lr-scheduler-type", "constant", "--gradient-accumulation-steps", "2", "--per-device-train-batch-size", "2", "--logging-steps", "1", "--threads", "1", "--json", .. more,
        ];
        foreach (string device in Devices.Both)
        {
            Devices.Run(device, [.. command, "--learning-rate", "1e-3", "--output", _folder.File(device)]);
        }

        Devices.Run("cpu", [.. command, "--learning-rate", "0", "--output", _folder.File("start")]);
        JsonElement[] want = Lines("cpu"), got = Lines("cuda-sim");
        Assert.Contains(want, l => l.TryGetProperty("grad_norm", out var norm) && norm.GetDouble() > 0);
        Assert.Equal(more.Contains("--eval-size"), want.Any(l => l.TryGetProperty("eval_loss", out _)));
        Assert.Equal(want.Length, got.Length);
        Assert.All(want.Zip(got), p => Devices.Same(p.First, p.Second, Close, "tokens_per_second", "time"));
        Assert.InRange(Devices.Apart(_folder.File("start"), _folder.File("cpu"), _folder.File("cuda-sim")), 0, Apart);
    }

    [Fact]
    public void Quark_should_sample_and_learn_on_the_simulator_what_it_does_on_the_cpu()
    {
        string[] command =
        [
            "quark", "--policy", models.Decoder, "--reward", models.Scorer, "--input", Rows.Write(_folder, 4), "--prompt-dict", Templates(), "--threads", "1", "--rollout-batch-size", "4",
            "--rollout-per-device-batch-size", "4", "--step-batch-size", "4", "--query-len", "60", "--response-len", "4", "--warmup-steps", "0", "--max-steps", "2", "--num-reward-tokens", "2",
            "--train-on-best-quantile", "false", "--json",
        ];
        foreach (string device in Devices.Both)
        {
            Devices.Run(device, [.. command, "--learning-rate", "1e-3", "--output", _folder.File(device)]);
        }

        Devices.Run("cpu", [.. command, "--learning-rate", "0", "--output", _folder.File("start")]);
        JsonElement[] want = Lines("cpu"), got = Lines("cuda-sim");
        Assert.Equal((2, 2), (want.Length, got.Length));
        Assert.All(want.Zip(got), p => Devices.Same(p.First, p.Second, Close));
        Assert.InRange(Devices.Apart(_folder.File("start"), _folder.File("cpu"), _folder.File("cuda-sim")), 0, Apart);
    }

    private JsonElement[] Lines(string device) => [.. File.ReadLines(_folder.File($"{device}/metrics.jsonl")).Select(l => JsonElement.Parse(l))];

    private string Demonstrations() => _folder.Write("rows.json", JsonSerializer.Serialize(Enumerable.Range(0, 6).Select(i => new { instruction = $"Say {i}.", input = "", output = $"It is {i * i}." })));

    private string Pairs() => _folder.Write("pairs.json", JsonSerializer.Serialize(Enumerable.Range(0, 6)
        .Select(i => new { instruction = $"Say {i}.", input = "", output_1 = $"{i}", output_2 = "no", preference = 1 + (i % 2) })));

    // Prompts of a few bytes: the simulator is slow.
    private string Templates() => _folder.Write("templates.json", """{"prompt_inputs": "{instruction} {input}:", "prompt_noinputs": "{instruction}:"}""");
}
