using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>
/// Memory of a device: what runs are planned to take is what they take, and what does not fit is refused before it begins, or reported with what to change. The simulated GPU's
/// memory counts as a real one's does: tensors, packed weights, keys and values, and what its operations hand each other.
/// </summary>
public sealed class DeviceMemoryTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("sft")]
    [InlineData("sft", "--dtype", "bf16", "--activations", "bf16")]
    [InlineData("sft", "--lora-rank", "8", "--lora-target-modules", "all-linear", "--recompute")]
    [InlineData("reward", "--eval-size", "2")]
    [InlineData("dpo", "--eval-size", "0")]
    [InlineData("ppo")]
    [InlineData("ppo", "--layout", "lora", "--lora-rank", "8")]
    [InlineData("quark", "--num-reward-tokens", "2")]
    public void A_run_should_take_what_it_was_planned_to_within_a_tenth(string verb, params string[] more)
    {
        string[] command = verb is "ppo" or "quark" ? [verb, .. Feedback, .. verb == "ppo" ? ["--noptepochs", "1"] : Array.Empty<string>()] : [verb, .. Training(verb)];
        var result = Devices.Run("cuda-sim", [.. command, .. more, "--output", _folder.File("out"), "--json"]);
        Assert.Contains("planned memory", result.Error, StringComparison.Ordinal);
        var done = JsonElement.Parse(result.Output);
        double planned = done.GetProperty("planned_bytes").GetInt64(), held = done.GetProperty("peak_device_bytes").GetInt64();
        Assert.True(planned / held is > 0.9 and < 1.1, $"planned {planned}, held {held}: {planned / held:F3}");
    }

    [Theory]
    [InlineData("sft", "MiB are free: train adapters (--lora-rank), use --dtype bf16 or --recompute, or give --per-device-train-batch-size or --model-max-length less.")]
    [InlineData("ppo", "MiB are free: use --layout lora (ppo), --dtype bf16 or --recompute, or give --step-per-device-batch-size")]
    [InlineData("best-of-n", "MiB are free: its weights alone do not fit. Use smaller ones (--dtype int8), or stop what else runs on the GPU.")]
    public void Should_refuse_a_plan_of_more_than_the_device_has_before_it_begins(string verb, string expected)
    {
        // Half a mebibyte holds either model's weights, but not both.
        var result = Run("FARM_PTXSIM_DEVICE_MEMORY=524288", verb);

        Assert.Equal(2, result.ExitCode);
        Assert.Matches(@"The run is planned to take \d+ MiB of cuda-sim, where \d+ of 1 ", result.Error);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Nothing(result);
    }

    [Theory]
    [InlineData("sft", 5)]
    [InlineData("ppo", 5)]
    [InlineData("ppo", 40)]
    [InlineData("best-of-n", 5)]
    [InlineData("best-of-n", 25)]
    public void Should_say_what_to_change_where_an_allocation_fails(string verb, int allocation)
    {
        var result = Run($"FARM_PTXSIM_FAIL_ALLOC={allocation}", verb);

        Assert.Equal(2, result.ExitCode);
        Assert.Matches(@"GPU 0 has no \d+ MiB left for a buffer: \d+ of 8192 MiB are free\. ", result.Error);
        string remedy = verb == "best-of-n" ? "Decode fewer sequences at once (--batch-sequences), use shorter prompts or smaller weights (--dtype int8)" : "train with less at a time (--per-device-train-batch-size, --step-per-device-batch-size, --recompute, --layout lora)";
        Assert.Contains(remedy, result.Error, StringComparison.Ordinal);
        Nothing(result);
    }

    [Fact]
    public void Should_say_what_to_change_where_keys_and_values_do_not_fit()
    {
        // Room for both models' weights and the scorer's activations, and for less than the pages of one sample.
        var result = Run("FARM_PTXSIM_DEVICE_MEMORY=1800000", "best-of-n", "--max-new-tokens", "400");

        Assert.Equal(2, result.ExitCode);
        Assert.Matches(@"One sample of a prompt of \d+ tokens needs 1 MiB for keys and values, but there are 0 MiB\. Use shorter prompts, fewer new tokens \(--max-new-tokens\) or smaller weights", result.Error);
        Nothing(result);
    }

    private FarmResult Run(string environment, string verb, params string[] more)
    {
        string[] command = verb switch
        {
            "sft" => ["sft", .. Training("sft")],
            "ppo" => ["ppo", .. Feedback],
            _ => [verb, "--decoder", models.Decoder, "--scorer", models.Scorer, "--input", Rows.Write(_folder, 2), "--prompt-dict", Templates(), "-n", "3", "--max-new-tokens", "5", "--dtype", "f32"],
        };
        using var process = FarmProcess.StartByShell($"{environment} FARM_PTXSIM_QUIET=1 exec \"$@\"", [.. Without(command, more), .. more, "--device", "cuda-sim", "--output", _folder.File(verb == "best-of-n" ? "out.json" : "out")]);
        return process.Finish();
    }

    private static string[] Without(string[] command, string[] flags)
    {
        foreach (string flag in flags.Where(f => f.StartsWith("--", StringComparison.Ordinal)))
        {
            int at = Array.IndexOf(command, flag);
            command = at < 0 ? command : [.. command[..at], .. command[(at + 2)..]];
        }

        return command;
    }

    private void Nothing(FarmResult result)
    {
        Assert.Empty(result.Output);
        Assert.False(File.Exists(_folder.File("out/model.safetensors")));
        Assert.False(File.Exists(_folder.File("out.json")));
    }

    // Two steps: the reward model's keys and values are there from the first step's scoring on, and the sampler's come again in the second.
    private string[] Feedback =>
    [
        "--policy", models.Decoder, "--reward", models.Scorer, "--input", Rows.Write(_folder, 8), "--prompt-dict", Templates(), "--threads", "1", "--rollout-batch-size", "4", "--rollout-per-device-batch-size", "4",
        "--step-batch-size", "4", "--step-per-device-batch-size", "2", "--query-len", "60", "--response-len", "4", "--max-steps", "2",
    ];

    private string[] Training(string verb) =>
    [
        "--model", models.Decoder, "--train", verb == "sft" ? Demonstrations() : Pairs(), "--prompt-dict", Templates(), "--model-max-length", "200", "--max-steps", "1", "--gradient-accumulation-steps", "1",
        "--per-device-train-batch-size", "2", "--threads", "1",
    ];

    private string Demonstrations() => _folder.Write("rows.json", JsonSerializer.Serialize(Enumerable.Range(0, 4).Select(i => new { instruction = $"Say {i}.", input = "", output = $"It is {i * i}." + new string('.', 60) })));

    private string Pairs() => _folder.Write("pairs.json", JsonSerializer.Serialize(Enumerable.Range(0, 6)
        .Select(i => new { instruction = $"Say {i}.", input = "", output_1 = $"{i}" + new string('!', 30), output_2 = "no", preference = 1 + (i % 2) })));

    // Prompts of a few bytes: the simulator is slow.
    private string Templates() => _folder.Write("templates.json", """{"prompt_inputs": "{instruction} {input}:", "prompt_noinputs": "{instruction}:"}""");
}
