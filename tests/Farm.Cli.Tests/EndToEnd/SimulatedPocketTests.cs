using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>The verbs of the pocket world on the simulated GPU, small enough for it, and on the CPU in float32: the same texts, so the same judgements.</summary>
public sealed class SimulatedPocketTests : IDisposable
{
    private const double Close = 1e-3;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Best_of_16_without_arguments_should_draw_the_same() => Compare(Close, "best-of-n", "--max-instances", "1", "--dtype", "f32", "--json");

    [Fact]
    public void Pocket_evaluate_should_find_the_same() => Compare(Close, "pocket", "evaluate", "--max-instances", "1", "-n", "3", "--dtype", "f32", "--json");

    [Fact]
    public void Simulate_should_come_to_the_same_table_and_curves()
    {
        string settings = _folder.Write("settings.json", """
            {
                "embedded_policy": true, "preference_rows": 2, "preference_samples": 2, "pairs_per_row": 1, "reward_epochs": 2, "response_length": 4, "ppo_steps": 1, "ppo_rollouts": 8, "ppo_eval_steps": 1,
                "val_rows": 1, "eval_rows": 1, "quark_steps": 1, "expert_samples": 2, "expert_rows": 2, "tune_epochs": 1, "feedback_epochs": 2, "most_samples": 2, "best_of": 2, "eval_samples": 1, "kinds": ["noisy"]
            }
            """);
        JsonElement[] found = [.. Devices.Both.Select(d => JsonElement.Parse(Devices.Run(d, "simulate", "--settings", settings, "--output", _folder.File(d), "--threads", "2", "--json").Output))];
        Assert.Equal(8, found[0].GetProperty("methods").GetArrayLength());
        Assert.Equal("cuda-sim", found[1].GetProperty("settings").GetProperty("device").GetProperty("name").GetString());
        // Two updates of a reward model from a head of zero: rewards are small.
        Devices.Same(found[0], found[1], 5e-3, "settings", "stages", "seconds");
        foreach (string file in Directory.EnumerateFiles(_folder.File("cpu/samples")).Select(f => Path.GetFileName(f)))
        {
            Assert.Equal(File.ReadAllText(_folder.File($"cpu/samples/{file}")), File.ReadAllText(_folder.File($"cuda-sim/samples/{file}")));
        }
    }

    [Fact]
    public void Pocket_train_should_rehearse_the_whole_recipe()
    {
        foreach (string device in Devices.Both)
        {
            var result = Devices.Run(device, "pocket", "train", "--max-instances", "1", "--threads", "2", "--output", _folder.File(device));
            Assert.Contains("a rehearsal, --max-instances 1", result.Output, StringComparison.Ordinal);
            Assert.True(File.Exists(_folder.File($"{device}/models/reward/model.safetensors")));
        }

        foreach (string stage in new[] { "policy", "reward" })
        {
            JsonElement[] want = Lines("cpu", stage), got = Lines("cuda-sim", stage);
            Assert.Equal(want.Length, got.Length);
            Assert.All(want.Zip(got), p => Devices.Same(p.First, p.Second, 2e-2, "tokens_per_second"));
        }

        Assert.Equal(Outputs("cpu"), Outputs("cuda-sim"));
        var other = FarmProcess.Run("pocket", "train", "--max-instances", "3", "--output", _folder.File("cpu"));
        Assert.Equal(2, other.ExitCode);
        Assert.Contains("holds a run on cpu with --max-instances 1, and this one is on cpu with --max-instances 3: name another folder.", other.Error, StringComparison.Ordinal);
    }

    private static void Compare(double tolerance, params string[] command)
    {
        JsonElement[] found = [.. Devices.Both.Select(d => JsonElement.Parse(Devices.Run(d, [.. command, "--threads", "2"]).Output))];
        string[] timed = ["seconds", "prefill_tokens_per_second", "decode_tokens_per_second", "roofline_decode_tokens_per_second", "roofline_fraction", "peak_rss_bytes"];
        Devices.Same(found[0], found[1], tolerance, timed);
    }

    private JsonElement[] Lines(string device, string stage) => [.. File.ReadLines(_folder.File($"{device}/{stage}/metrics.jsonl")).Select(l => JsonElement.Parse(l))];

    private string[] Outputs(string device) =>
        [.. JsonElement.Parse(File.ReadAllText(_folder.File($"{device}/samples.json"))).EnumerateArray().SelectMany(r => r.GetProperty("output").EnumerateArray()).Select(o => o.GetString()!)];
}
