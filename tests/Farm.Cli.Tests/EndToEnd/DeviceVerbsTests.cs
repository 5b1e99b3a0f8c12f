using System.CommandLine;
using System.Text.Json;
using Farm.Cli.Options;
using Farm.Cli.Tests.Support;
using Farm.Models.Checkpoints;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary><c>--device</c> over all verbs, and the verbs of learning from feedback on the simulated GPU, each in a process of its own.</summary>
public sealed class DeviceVerbsTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_verb_should_take_a_device_or_say_why_not()
    {
        var verbs = Leaves(Program.Root(CancellationToken.None), "farm").ToDictionary(v => v.Path, v => v.Command);
        string[] with = [.. verbs.Where(v => v.Value.Options.Any(o => o.Name == "--device")).Select(v => v.Key)], without = [.. verbs.Keys.Where(v => WithoutDevice.Sentence(v) is not null)];
        Assert.Empty(with.Intersect(without));
        Assert.Equal(verbs.Keys.Order(), with.Concat(without).Order());
        Assert.All(WithoutDevice.Verbs, v => Assert.Contains(without, w => w == v || w.StartsWith(v + " ", StringComparison.Ordinal)));
        string[] computing =
        [
            "best-of-n", "decode", "score", "rerank", "sft", "reward", "ppo", "dpo", "expert-iteration", "quark", "feedme", "reward-condition", "simulate", "annotate pairs", "annotate samples", "annotate head2head", "evaluate", "doctor", "bench kernels",
            "bench sample", "bench train", "pocket evaluate", "pocket train",
        ];
        Assert.Empty(computing.Select(v => "farm " + v).Except(with));
    }

    [Theory]
    [InlineData("farm pocket score takes no --device: the pocket world's judges are rules, not models.", "pocket", "score", "--input", "x", "--device", "cuda")]
    [InlineData("farm recover takes no --device: it reads weights from files, adds them once and writes them to files.", "recover", "--device=cuda")]
    [InlineData("Unknown command or flag '--device'", "--device", "cuda")]
    [InlineData("--device must be cpu, cuda, cuda: with the number of a GPU, or cuda-sim, not 'gpu'", "ppo", "--policy", "a", "--reward", "b", "--input", "c", "--output", "d", "--device", "gpu")]
    [InlineData("--activations bf16 goes with --device cuda", "quark", "--policy", "a", "--reward", "b", "--input", "c", "--output", "d", "--activations", "bf16")]
    [InlineData("--max-instances must be at least 1, not 0", "pocket", "evaluate", "--device", "cuda-sim", "--max-instances", "0")]
    public void Should_refuse_with_one_sentence(string expected, params string[] arguments)
    {
        var result = FarmProcess.Run(arguments);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [Fact]
    public void Ppo_should_sample_and_learn_on_the_simulator_what_it_does_on_the_cpu()
    {
        FarmResult cpu = Ppo("cpu"), gpu = Ppo("cuda-sim");

        Assert.Equal((0, string.Empty), (cpu.ExitCode, cpu.ExitCode == 0 ? string.Empty : cpu.Error));
        Assert.Equal((0, string.Empty), (gpu.ExitCode, gpu.ExitCode == 0 ? string.Empty : gpu.Error));
        using JsonDocument want = Rollouts("cpu"), got = Rollouts("cuda-sim");
        Assert.Equal(4, want.RootElement.GetArrayLength());
        foreach (var (a, b) in want.RootElement.EnumerateArray().Zip(got.RootElement.EnumerateArray()))
        {
            Assert.Equal(a.GetProperty("responses").GetString(), b.GetProperty("responses").GetString());
            Assert.Equal(a.GetProperty("rewards").GetDouble(), b.GetProperty("rewards").GetDouble(), 1e-3);
        }

        float[] start = Weights(models.Decoder), wanted = Weights(_folder.File("cpu")), gotten = Weights(_folder.File("cuda-sim"));
        double moved = wanted.Zip(start, (a, b) => Math.Pow(a - b, 2)).Sum(), apart = wanted.Zip(gotten, (a, b) => Math.Pow(a - b, 2)).Sum();
        Assert.True(moved > 0);
        Assert.InRange(Math.Sqrt(apart / moved), 0, 0.05);

        FarmResult Ppo(string device) => FarmProcess.Run(["ppo", .. Small, "--noptepochs", "1", "--max-steps", "1", "--device", device, "--output", _folder.File(device), "--json"]);
        JsonDocument Rollouts(string device) => JsonDocument.Parse(File.ReadAllText(_folder.File($"{device}/rollouts/step_1.json")));
    }

    [Fact]
    public void The_other_methods_should_run_on_the_simulator()
    {
        string[] expert =
        [
            "expert-iteration", "--model", models.Decoder, "--reward", models.Scorer, "--input", Rows.Write(_folder, 2), "--prompt-dict", Templates(), "--num-return-sequences", "3", "--max-new-tokens", "4",
            "--model-max-length", "64", "--threads", "1", "--max-steps", "1", "--gradient-accumulation-steps", "1", "--json",
        ];
        var onCpu = FarmProcess.Run([.. expert, "--output", _folder.File("expert-cpu")]);
        var onGpu = FarmProcess.Run([.. expert, "--output", _folder.File("expert-gpu"), "--device", "cuda-sim"]);
        Assert.Equal((0, 0, string.Empty), (onCpu.ExitCode, onGpu.ExitCode, onGpu.ExitCode == 0 ? string.Empty : onGpu.Error));
        Assert.Equal(Outputs("expert-cpu"), Outputs("expert-gpu"));
        string pairs = _folder.Write("pairs.json", JsonSerializer.Serialize(Enumerable.Range(0, 3).Select(i => new { instruction = $"Say {i}.", input = "", output_1 = $"{i}", output_2 = "no", preference = 1 + (i % 2) })));
        foreach (string verb in new[] { "dpo", "reward-condition" })
        {
            string[] own = verb == "dpo" ? ["--eval-size", "0"] : [];
            var result = FarmProcess.Run(
            [
                verb, "--model", models.Decoder, "--train", pairs, "--prompt-dict", Templates(), "--model-max-length", "64", "--max-steps", "1", "--gradient-accumulation-steps", "2", "--device", "cuda-sim",
                "--activations", "bf16", .. own, "--output", _folder.File(verb), "--json",
            ]);
            Assert.Equal((0, string.Empty), (result.ExitCode, result.ExitCode == 0 ? string.Empty : result.Error));
        }

        string[] Outputs(string folder)
        {
            using var file = JsonDocument.Parse(File.ReadAllText(_folder.File(folder + "/best_of_n_samples.json")));
            return [.. file.RootElement.EnumerateArray().Select(r => r.GetProperty("output").GetString()!)];
        }
    }

    [Theory]
    [InlineData("FARM_PTXSIM_DEVICE_MEMORY=1048576", 2, "MiB are free: use --layout lora (ppo)", "ppo")]
    [InlineData("FARM_PTXSIM_DEVICE_MEMORY=1048576", 2, "MiB are free: use --layout lora (ppo)", "quark")]
    [InlineData("FARM_PTXSIM_FAIL_ALLOC=20", 2, "train with less at a time (--per-device-train-batch-size, --step-per-device-batch-size", "ppo")]
    [InlineData("FARM_PTXSIM_FAIL_LAUNCH=150", 1, "on a grid of (", "ppo")]
    [InlineData("FARM_PTXSIM_LOSE_DEVICE=300", 1, "The device is lost", "ppo")]
    public void Should_name_what_a_device_refuses_and_write_no_model(string environment, int exitCode, string expected, string verb)
    {
        var result = Shell(environment, [verb, .. Small, "--max-steps", "1", "--device", "cuda-sim", "--output", _folder.File("out")]);

        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.False(File.Exists(_folder.File("out/model.safetensors")));
    }

    [Fact]
    public void Should_refuse_training_that_the_device_does_not_hold()
    {
        string rows = _folder.Write("train.json", JsonSerializer.Serialize(new[] { new { instruction = "Say 1.", input = "", output = "1" } }));
        var result = Shell("FARM_PTXSIM_DEVICE_MEMORY=1048576", ["sft", "--model", models.Decoder, "--train", rows, "--model-max-length", "400", "--device", "cuda-sim", "--output", _folder.File("sft")]);

        Assert.Contains("MiB are free: train adapters (--lora-rank)", result.Error, StringComparison.Ordinal);
        Assert.Equal(2, result.ExitCode);
    }

    private string[] Small =>
    [
        "--policy", models.Decoder, "--reward", models.Scorer, "--input", Rows.Write(_folder, 4), "--prompt-dict", Templates(), "--threads", "1", "--rollout-batch-size", "4", "--rollout-per-device-batch-size", "4",
        "--step-batch-size", "4", "--query-len", "60", "--response-len", "4", "--learning-rate", "1e-3", "--warmup-steps", "0",
    ];

    // Prompts of a few bytes: the simulator is slow.
    private string Templates() => _folder.Write("templates.json", """{"prompt_inputs": "{instruction} {input}:", "prompt_noinputs": "{instruction}:"}""");

    private static IEnumerable<(string Path, Command Command)> Leaves(Command command, string path) => command.Subcommands.Count == 0
        ? [(path, command)]
        : command.Subcommands.SelectMany(c => Leaves(c, $"{path} {c.Name}")).Concat(command.Action is not null && command is not RootCommand ? [(path, command)] : []);

    private static float[] Weights(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return [.. checkpoint.Tensors.OrderBy(t => t.Key, StringComparer.Ordinal).SelectMany(t =>
        {
            var values = new float[t.Value.Rows * t.Value.Columns];
            t.Value.ReadFloats(0, t.Value.Rows, values);
            // The trained model has a padding token more.
            return t.Key is "model.embed_tokens.weight" or "lm_head.weight" ? values[..(258 * t.Value.Columns)] : values;
        })];
    }

    private static FarmResult Shell(string environment, string[] arguments)
    {
        using var process = FarmProcess.StartByShell($"{environment} FARM_PTXSIM_QUIET=1 exec \"$@\"", arguments);
        return process.Finish();
    }
}
