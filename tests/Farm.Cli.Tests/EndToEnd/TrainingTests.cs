using System.Security.Cryptography;
using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary><c>farm sft</c>, <c>farm reward</c> and <c>farm bench train</c> in processes of their own.</summary>
public sealed class TrainingTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_end_in_the_same_bytes_after_a_kill_and_resume()
    {
        string[] flags = ["--model", models.Decoder, "--train", Rows(60), "--max-steps", "60", "--gradient-accumulation-steps", "2", "--learning-rate", "1e-3", "--threads", "1", "--model-max-length", "400"];
        var whole = FarmProcess.Run(["sft", .. flags, "--output", _folder.File("whole"), "--json"]);
        Assert.Equal((0, 60), (whole.ExitCode, Int(whole, "steps")));
        using (var killed = FarmProcess.Start(["sft", .. flags, "--output", _folder.File("cut"), "--save-steps", "3", "--save-total-limit", "2"]))
        {
            while (!killed.HasExited && !Directory.Exists(_folder.File("cut/checkpoint-6")))
            {
                Thread.Yield();
            }

            killed.Kill();
        }

        Assert.False(File.Exists(_folder.File("cut/model.safetensors")));
        var refused = FarmProcess.Run(["sft", .. flags, "--output", _folder.File("cut")]);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("--resume", refused.Error, StringComparison.Ordinal);
        var resumed = FarmProcess.Run(["sft", .. flags, "--output", _folder.File("cut"), "--save-steps", "3", "--save-total-limit", "2", "--resume", "--json"]);
        Assert.Equal(0, resumed.ExitCode);
        Assert.True(Int(resumed, "resumed_from") >= 6);
        Assert.Equal(Hash("whole/model.safetensors"), Hash("cut/model.safetensors"));
        Assert.NotEqual(Hash(Path.Combine(models.Decoder, "model.safetensors")), Hash("cut/model.safetensors"));
        // The saved folder has the padding token and can be trained on and read again.
        var reward = FarmProcess.Run("reward", "--model", _folder.File("cut"), "--train", Preferences(8, null), "--eval-size", "2", "--output", _folder.File("reward"), "--threads", "1", "--json", "--model-max-length", "400");
        Assert.Equal(0, reward.ExitCode);
        using var done = JsonDocument.Parse(reward.Output);
        Assert.InRange(done.RootElement.GetProperty("eval_accuracy").GetDouble(), 0, 1);
        Assert.Equal(259, JsonDocument.Parse(File.ReadAllText(_folder.File("reward/config.json"))).RootElement.GetProperty("vocab_size").GetInt32());
    }

    [Fact]
    public void Should_refuse_bad_input_and_write_no_model()
    {
        Refuse("row 3: the field 'output' is missing", "sft", "--train", _folder.Write("no-output.json", """[{"instruction":"a","output":"b"},{"instruction":"a","output":"b"},{"instruction":"a"}]"""));
        Refuse("no row is left to train on", "sft", "--model-max-length", "20", "--train", Rows(3));
        Refuse("row 2, field 'preference': must be 1 or 2, not 3", "reward", "--train", Preferences(4, 3));
        Refuse("--eval-size is 9, but there are 4", "reward", "--eval-size", "9", "--train", Preferences(4, null));
        Refuse("'c_attn' matches no linear module", "sft", "--lora-rank", "2", "--lora-target-modules", "c_attn", "--train", Rows(2));
        Refuse("There is no pocket:nowhere", "sft", "--train", "pocket:nowhere");
        Refuse("--lr-scheduler-type must be", "sft", "--lr-scheduler-type", "steps", "--train", Rows(2));

        void Refuse(string expected, params string[] flags)
        {
            List<string> all = [.. flags, "--model", models.Decoder, "--output", _folder.File("refused"), "--threads", "1"];
            if (!flags.Contains("--model-max-length"))
            {
                all.AddRange(["--model-max-length", "400"]);
            }

            var result = FarmProcess.Run([.. all]);
            Assert.Equal(2, result.ExitCode);
            Assert.Contains(expected, result.Error, StringComparison.Ordinal);
            Assert.Empty(result.Output);
            Assert.False(File.Exists(_folder.File("refused/model.safetensors")));
        }
    }

    [Fact]
    public void Should_time_training_steps()
    {
        var result = FarmProcess.Run("bench", "train", "--model", models.WithoutTokenizer, "--batch", "2", "--sequence", "32", "--threads", "1", "--repeat", "1", "--json");
        Assert.Equal(0, result.ExitCode);
        using var json = JsonDocument.Parse(result.Output);
        foreach (string field in new[] { "tokens_per_second", "flops_per_second", "flops_fraction_of_peak", "peak_rss_bytes" })
        {
            Assert.True(json.RootElement.GetProperty(field).GetDouble() > 0, field);
        }
    }

    private static int Int(FarmResult result, string field)
    {
        using var json = JsonDocument.Parse(result.Output);
        return json.RootElement.GetProperty(field).GetInt32();
    }

    private string Hash(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Path.IsPathRooted(file) ? file : _folder.File(file))));

    private string Rows(int count) => _folder.Write($"rows-{count}.json", JsonSerializer.Serialize(Enumerable.Range(0, count).Select(i => new { instruction = $"Say {i}.", input = "", output = $"It is {i * i}." })));

    private string Preferences(int count, int? second) => _folder.Write($"pairs-{count}-{second}.json", JsonSerializer.Serialize(Enumerable.Range(0, count)
        .Select(i => new { instruction = $"Say {i}.", input = "", output_1 = $"{i}", output_2 = "no", preference = i == 1 ? second ?? 2 : 1 })));
}
