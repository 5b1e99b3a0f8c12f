using System.Security.Cryptography;
using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>The verbs of learning from feedback in processes of their own.</summary>
public sealed class FeedbackTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string[] Small =>
    [
        "--policy", models.Decoder, "--reward", models.Scorer, "--input", Rows.Write(_folder, 8), "--threads", "1", "--rollout-batch-size", "8", "--rollout-per-device-batch-size", "4", "--step-batch-size", "4",
        "--query-len", "380", "--response-len", "6", "--max-steps", "4", "--learning-rate", "1e-3",
    ];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Ppo_should_end_in_the_same_bytes_after_a_kill_and_resume()
    {
        var whole = FarmProcess.Run(["ppo", .. Small, "--output", _folder.File("whole"), "--json"]);
        Assert.Equal((0, string.Empty), (whole.ExitCode, whole.ExitCode == 0 ? string.Empty : whole.Error));
        Assert.Contains("planned memory", whole.Error, StringComparison.Ordinal);
        using (var killed = FarmProcess.Start(["ppo", .. Small, "--output", _folder.File("cut"), "--save-steps", "1"]))
        {
            while (!killed.HasExited && !Directory.Exists(_folder.File("cut/checkpoint-2")))
            {
                Thread.Yield();
            }

            killed.Kill();
        }

        Assert.Contains("--resume", FarmProcess.Run(["ppo", .. Small, "--output", _folder.File("cut")]).Error, StringComparison.Ordinal);
        var other = FarmProcess.Run(["ppo", .. Small, "--output", _folder.File("cut"), "--resume", "--kl-coef", "0.5", "--lam", "0.9"]);
        Assert.Equal(2, other.ExitCode);
        Assert.Contains("kl_coef was 0.0067 and is now 0.5; ", other.Error, StringComparison.Ordinal);
        Assert.Contains("lam was 1 and is now 0.9", other.Error, StringComparison.Ordinal);
        var resumed = FarmProcess.Run(["ppo", .. Small, "--output", _folder.File("cut"), "--save-steps", "1", "--resume", "--json"]);
        Assert.Equal(0, resumed.ExitCode);
        Assert.Equal(Hash("whole/model.safetensors"), Hash("cut/model.safetensors"));
        using var done = JsonDocument.Parse(resumed.Output);
        Assert.True(done.RootElement.GetProperty("resumed_from").GetInt32() >= 2);
        using var rollouts = JsonDocument.Parse(File.ReadAllText(_folder.File("whole/rollouts/step_1.json")));
        Assert.Equal(8, rollouts.RootElement.GetArrayLength());
        Assert.Contains("### Instruction:", rollouts.RootElement[0].GetProperty("queries").GetString(), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.File("whole/report.html")));
    }

    [Fact]
    public void Ppo_should_run_the_original_and_adapters_and_keep_the_best_policy()
    {
        var original = FarmProcess.Run(["ppo", .. With("--mode", "alpacafarm", "--max-steps", "2"), "--output", _folder.File("original"), "--eval", Rows.Write(_folder, 3, "eval.json"), "--eval-steps", "1", "--json"]);
        Assert.Equal((0, string.Empty), (original.ExitCode, original.ExitCode == 0 ? string.Empty : original.Error));
        using var results = JsonDocument.Parse(File.ReadAllText(_folder.File("original/eval_results_1.json")));
        Assert.Equal(3, results.RootElement.GetArrayLength());
        Assert.Equal("set0", results.RootElement[0].GetProperty("dataset").GetString());
        Assert.True(results.RootElement[0].TryGetProperty("original_ckpt_1", out _));
        Assert.True(File.Exists(_folder.File("original/best/config.json")));
        var adapters = FarmProcess.Run(["ppo", .. With("--layout", "lora", "--lora-rank", "2", "--max-steps", "1"), "--output", _folder.File("lora"), "--json"]);
        Assert.Equal((0, string.Empty), (adapters.ExitCode, adapters.ExitCode == 0 ? string.Empty : adapters.Error));
        Assert.True(File.Exists(_folder.File("lora/adapter/adapter_config.json")));
    }

    [Fact]
    public void Methods_on_preferences_should_train_and_dpo_should_keep_its_reference()
    {
        string pairs = _folder.Write("pairs.json", JsonSerializer.Serialize(Enumerable.Range(0, 6).Select(i => new { instruction = $"Say {i}.", input = "", output_1 = $"{i}", output_2 = "no", preference = 1 + (i % 2) })));
        string[] flags = ["--model", models.Decoder, "--train", pairs, "--threads", "1", "--model-max-length", "400", "--max-steps", "2", "--gradient-accumulation-steps", "2", "--json"];
        var dpo = FarmProcess.Run(["dpo", .. flags, "--eval-size", "2", "--output", _folder.File("dpo")]);
        Assert.Equal((0, string.Empty), (dpo.ExitCode, dpo.ExitCode == 0 ? string.Empty : dpo.Error));
        Assert.Contains("computed", dpo.Error, StringComparison.Ordinal);
        using (var done = JsonDocument.Parse(dpo.Output))
        {
            Assert.True(done.RootElement.GetProperty("eval_loss").GetDouble() > 0);
        }

        Assert.Contains("are in the cache", FarmProcess.Run(["dpo", .. flags, "--eval-size", "2", "--output", _folder.File("dpo")]).Error, StringComparison.Ordinal);
        Assert.Equal(0, FarmProcess.Run(["feedme", .. flags, "--output", _folder.File("feedme")]).ExitCode);
        var conditioned = FarmProcess.Run(["reward-condition", .. flags, "--output", _folder.File("conditioned")]);
        Assert.Equal((0, string.Empty), (conditioned.ExitCode, conditioned.ExitCode == 0 ? string.Empty : conditioned.Error));
        var tokens = FarmProcess.Run("tokenize", "--model", _folder.File("conditioned"), "--text", "<reward_0>a", "--json");
        Assert.DoesNotContain("error", tokens.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(261, JsonDocument.Parse(File.ReadAllText(_folder.File("conditioned/config.json"))).RootElement.GetProperty("vocab_size").GetInt32());
    }

    [Fact]
    public void Expert_iteration_and_quark_should_train()
    {
        var expert = FarmProcess.Run(
            "expert-iteration", "--model", models.Decoder, "--reward", models.Scorer, "--input", Rows.Write(_folder, 4), "--num-return-sequences", "3", "--max-new-tokens", "6", "--model-max-length", "400",
            "--threads", "1", "--max-steps", "2", "--gradient-accumulation-steps", "2", "--output", _folder.File("expert"), "--json");
        Assert.Equal((0, string.Empty), (expert.ExitCode, expert.ExitCode == 0 ? string.Empty : expert.Error));
        using (var samples = JsonDocument.Parse(File.ReadAllText(_folder.File("expert/best_of_n_samples.json"))))
        {
            Assert.Equal(4, samples.RootElement.GetArrayLength());
        }

        foreach (string best in new[] { "true", "false" })
        {
            var quark = FarmProcess.Run(["quark", .. With("--max-steps", "2", "--num-reward-tokens", "2", "--train-on-best-quantile", best), "--output", _folder.File("quark " + best), "--json"]);
            Assert.Equal((0, string.Empty), (quark.ExitCode, quark.ExitCode == 0 ? string.Empty : quark.Error));
            Assert.True(File.Exists(_folder.File($"quark {best}/model.safetensors")));
        }
    }

    [Fact]
    public void Should_refuse_bad_input_and_write_no_model()
    {
        Refuse("--kl-coef must be at least 0, not -1", "--kl-coef", "-1");
        Refuse("--step-batch-size 3 does not divide --rollout-batch-size 8", "--step-batch-size", "3");
        Refuse("--response-len 4096 leaves no room for a prompt in the model's context of", "--response-len", "4096");
        Refuse("has no rows", "--input", _folder.Write("empty.json", "[]"));
        Refuse("There is no pocket:nowhere", "--input", "pocket:nowhere");
        Refuse("--mode must be masked or alpacafarm", "--mode", "other");
        Refuse("--layout must be full or lora", "--layout", "other");
        Refuse("different tokenizers", "--reward", OtherTokenizer());
        Refuse("Row 1: the reward of response 1 is not a finite number", "--reward", OverflowingScorer(), "--max-instances", "1", "--rollout-batch-size", "1", "--rollout-per-device-batch-size", "1", "--step-batch-size", "1", "--step-per-device-batch-size", "1");
        Assert.Contains("there is no 'nothing'", FarmProcess.Run("simulate", "--output", _folder.File("s"), "--methods", "nothing").Error, StringComparison.Ordinal);

        void Refuse(string expected, params string[] flags)
        {
            var result = FarmProcess.Run(["ppo", .. With(flags), "--output", _folder.File("refused")]);
            Assert.Contains(expected, result.Error, StringComparison.Ordinal);
            Assert.Equal(2, result.ExitCode);
            Assert.Empty(result.Output);
            Assert.False(File.Exists(_folder.File("refused/model.safetensors")));
        }
    }

    // The small run's flags; of one that is given twice the first is taken away.
    private string[] With(params string[] flags)
    {
        string[] all = Small;
        foreach (string flag in flags.Where(f => f.StartsWith("--", StringComparison.Ordinal)))
        {
            int at = Array.IndexOf(all, flag);
            all = at < 0 ? all : [.. all[..at], .. all[(at + 2)..]];
        }

        return [.. all, .. flags];
    }

    // A head so large that every reward overflows; weights that are not finite would be refused when they are read.
    private string OverflowingScorer()
    {
        string folder = CopyOfScorer("overflow"), path = Path.Combine(folder, "model.safetensors");
        byte[] bytes = File.ReadAllBytes(path);
        int header = (int)BitConverter.ToInt64(bytes);
        using var json = JsonDocument.Parse(bytes.AsMemory(8, header));
        var offsets = json.RootElement.GetProperty("reward_head.weight").GetProperty("data_offsets");
        for (int at = 8 + header + offsets[0].GetInt32(); at < 8 + header + offsets[1].GetInt32(); at += sizeof(float))
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(at), BitConverter.ToSingle(bytes, at) < 0 ? -3e38f : 3e38f);
        }

        File.WriteAllBytes(path, bytes);
        return folder;
    }

    private string CopyOfScorer(string name)
    {
        string folder = _folder.File(name);
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(models.Scorer))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }

        return folder;
    }

    private string OtherTokenizer()
    {
        string folder = CopyOfScorer("other"), path = Path.Combine(folder, "tokenizer.json"), text = File.ReadAllText(path);
        using var json = JsonDocument.Parse(text);
        // Two ids change places.
        string a = json.RootElement.GetProperty("model").GetProperty("vocab").GetProperty("a").GetRawText(), b = json.RootElement.GetProperty("model").GetProperty("vocab").GetProperty("b").GetRawText();
        var node = System.Text.Json.Nodes.JsonNode.Parse(text)!;
        node["model"]!["vocab"]!["a"] = int.Parse(b, System.Globalization.CultureInfo.InvariantCulture);
        node["model"]!["vocab"]!["b"] = int.Parse(a, System.Globalization.CultureInfo.InvariantCulture);
        File.WriteAllText(path, node.ToJsonString());
        return folder;
    }

    private string Hash(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(_folder.File(file))));
}
