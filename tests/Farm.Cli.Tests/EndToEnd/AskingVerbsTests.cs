using System.Collections.Concurrent;
using System.Text.Json;
using Farm.Annotation.Tests.Support;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>Every verb that asks a model, as its user runs it, against a server on this machine.</summary>
public sealed class AskingVerbsTests : IDisposable
{
    private const int Rows = 12;
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Verbs => new() { "pairs", "samples", "head2head", "evaluate", "ratings", "rankings", "ultrafeedback", "oai-baseline", "compare-models" };

    public void Dispose() => _folder.Dispose();

    private string Output(string verb) => _folder.File(verb switch
    {
        "evaluate" => "out/annotations.json",
        "ratings" or "rankings" => "out.csv",
        _ => "out.json",
    });

    private string Judge()
    {
        _folder.Write("judges/one/prompt.txt", "<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>");
        _folder.Write("judges/one/configs.yaml", """
            one:
              prompt_template: "one/prompt.txt"
              completions_kwargs: {model_name: "gpt-4", max_tokens: 10, temperature: 0}
              completion_parser_kwargs: {outputs_to_match: {1: 'first', 2: 'second'}}
            """);
        return _folder.File("judges/one");
    }

    private string Json(string name, Func<int, object> row) => _folder.Write(name, JsonSerializer.Serialize(Enumerable.Range(0, Rows).Select(row)));

    /// <summary>The command line of a verb over inputs of <see cref="Rows"/> rows, two requests in flight.</summary>
    private string[] Arguments(string verb, string url)
    {
        string output = verb == "evaluate" ? _folder.File("out") : Output(verb);
        string[] judged = ["--judge", Judge(), "--base-url", url, "--output", output, "--retry-delay", "0.01"], asked = ["--base-url", url, "--output", output, "--judge-model", "gpt-4"];
        string[] verbs = verb switch
        {
            "pairs" => ["annotate", "pairs", "--input", Json("pairs.json", i => new { instruction = $"item {i}", output_1 = $"a{i}", output_2 = $"b{i}" }), .. judged],
            "samples" => ["annotate", "samples", "--input", Json("samples.json", i => new { instruction = $"item {i}", input = "", output = new[] { $"a{i}", $"b{i}" } }), .. judged],
            "head2head" => ["annotate", "head2head", "--reference", Outputs("a"), "--outputs", Outputs("b"), .. judged],
            "evaluate" => ["evaluate", "--reference", Outputs("a"), "--outputs", Outputs("b"), "--name", "b-model", .. judged],
            "ratings" => ["annotate", "ratings", "--input", Csv("instruction,input,response", i => $"item {i},,\"a, {i}\""), .. asked],
            "rankings" => ["annotate", "rankings", "--input", Csv("instruction,input,response1,response2", i => $"item {i},,a{i},b{i}"), .. asked],
            "ultrafeedback" => ["annotate", "ultrafeedback", "--input", Json("records.json", i => new { source = "sharegpt", instruction = $"item {i}", completions = Enumerable.Range(0, 4).Select(c => new { model = $"m{c}", response = $"text {c}" }) }), .. asked],
            "oai-baseline" => ["oai-baseline", "--input", Split(), "--output", output, "--base-url", url, "--model-name", "gpt-4-0314"],
            _ => ["compare-models", "--input", Split(), "--output", output, "--model-1", "one", "--url-1", url, "--model-2", "two", "--url-2", url],
        };
        return [.. verbs, "--max-concurrency", "2"];

        string Outputs(string letter) => Json($"{letter}.json", i => new { instruction = $"item {i}", output = $"{letter}{i}", generator = $"{letter}-model" });

        string Split() => Json("split.json", i => new { instruction = $"item {i}", input = "", dataset = "d", datasplit = "eval" });

        string Csv(string header, Func<int, string> row) => _folder.Write("in.csv", string.Concat(Enumerable.Range(0, Rows).Select(row).Prepend(header).Select(l => l + "\n")));
    }

    /// <summary>A reply that the verb can read; judges prefer what begins with b.</summary>
    private static FakeAnswer Answer(string verb, string body)
    {
        string text = string.Join('\n', JsonElement.Parse(body).GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("content").GetString()));
        return FakeAnswer.Chat(verb switch
        {
            "pairs" or "samples" or "head2head" or "evaluate" => text.Split('|')[1].StartsWith('b') ? "first" : "second",
            "ratings" => "5\nIt will do.",
            "rankings" => "(a)",
            "ultrafeedback" => string.Join("\n\n", Enumerable.Repeat("Type: None\nRationale: t\nRating: 4\nRationale: r", 4)),
            _ => $"An answer to {text.Length}",
        });
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Should_ask_stop_cleanly_and_go_on_without_paying_twice(string verb)
    {
        var answered = new ConcurrentQueue<string>();
        int asked = 0;
        bool isSlow = true;
        using var server = new FakeJudgeServer(body =>
        {
            if (Interlocked.Increment(ref asked) == 1)
            {
                return FakeAnswer.Error(429, "slow down") with { Headers = "Retry-After: 0\r\n" };
            }

            answered.Enqueue(body);
            // All but the first few come so late that the signal is there before they are.
            return Answer(verb, body) with { Delay = TimeSpan.FromMilliseconds(isSlow && answered.Count > 3 ? 1500 : 0) };
        });
        string[] arguments = Arguments(verb, server.BaseUrl);
        string output = Output(verb);
        using (var process = FarmProcess.StartAsking("sk-test-key", arguments))
        {
            SpinWait.SpinUntil(() => process.HasExited || answered.Count >= 3, TimeSpan.FromMinutes(10));
            process.Signal("INT");
            var stopped = process.Finish();
            Assert.Equal((130, ""), (stopped.ExitCode, stopped.ExitCode == 130 ? "" : stopped.Error));
            Assert.Contains("Stopping: replies on their way are paid for and waited for", stopped.Error, StringComparison.Ordinal);
            Assert.Matches(@"Interrupted: .+ are kept in .+\.journal\.db; the same command", stopped.Error);
            Assert.False(File.Exists(output));
            Assert.InRange(answered.Count, 3, Rows - 1);
        }

        isSlow = false;
        var resumed = FarmProcess.RunAsking("sk-test-key", arguments);
        Assert.Equal((0, ""), (resumed.ExitCode, resumed.ExitCode == 0 ? "" : resumed.Error));
        Assert.Equal(answered.Count, answered.Distinct().Count());
        string first = File.ReadAllText(output);
        int paid = answered.Count;
        var again = FarmProcess.RunAsking("sk-test-key", arguments);
        Assert.Equal((0, paid), (again.ExitCode, answered.Count));
        Assert.Equal(first, File.ReadAllText(output));
        Assert.All(Directory.EnumerateFiles(_folder.File("."), "*", SearchOption.AllDirectories), f => Assert.DoesNotContain("sk-test-key", File.ReadAllText(f), StringComparison.Ordinal));
        Check(verb, first);
    }

    private void Check(string verb, string text)
    {
        switch (verb)
        {
            case "ratings":
                Assert.Equal(string.Concat(Enumerable.Range(0, Rows).Select(i => $"item {i},,\"a, {i}\",5\r\n")), text);
                return;
            case "rankings":
                Assert.Equal(Rows, text.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Length);
                return;
        }

        var rows = JsonElement.Parse(text).EnumerateArray().ToArray();
        Assert.Equal(Rows, rows.Length);
        switch (verb)
        {
            case "ultrafeedback":
                Assert.All(rows, r => Assert.All(r.GetProperty("completions").EnumerateArray(), c => Assert.Equal(4, c.GetProperty("annotations").EnumerateObject().Count())));
                return;
            case "oai-baseline":
                Assert.All(rows, r => Assert.Equal(("gpt-4-0314", "eval"), (r.GetProperty("generator").GetString(), r.GetProperty("datasplit").GetString())));
                return;
            case "compare-models":
                Assert.All(rows, r => Assert.Equal(("one", "two"), (r.GetProperty("generator_1").GetString(), r.GetProperty("generator_2").GetString())));
                return;
            case "evaluate":
                Assert.StartsWith(",win_rate,standard_error", File.ReadAllText(_folder.File("out/leaderboard.csv")), StringComparison.Ordinal);
                break;
        }

        Assert.All(rows, r => Assert.Equal(r.GetProperty("output_2").GetString()!.StartsWith('b') ? 2.0 : 1.0, r.GetProperty("preference").GetDouble()));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Should_stop_at_once_without_a_key_or_with_one_that_is_refused(string verb)
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Error(401, "Incorrect API key provided: sk-test-key"));
        string[] arguments = Arguments(verb, server.BaseUrl);
        foreach (var (key, sentence) in new[] { ("", "OPENAI_API_KEY is not set"), ("sk-test-key", "refused the key in OPENAI_API_KEY (401)") })
        {
            var result = FarmProcess.RunAsking(key, arguments);
            Assert.Equal((2, sentence), (result.ExitCode, result.Error.Contains(sentence, StringComparison.Ordinal) ? sentence : result.Error));
            Assert.DoesNotContain("sk-test-key", result.Error + result.Output, StringComparison.Ordinal);
            Assert.False(File.Exists(Output(verb)));
        }

        Assert.InRange(server.Requests, 1, 6);
    }

    [Fact]
    public void Should_stop_at_an_unknown_model_and_at_a_limit_of_cost()
    {
        using var ignorant = new FakeJudgeServer(_ => FakeAnswer.Error(404, "no", "model_not_found"));
        var unknown = FarmProcess.RunAsking("k", Arguments("oai-baseline", ignorant.BaseUrl));
        Assert.Equal(2, unknown.ExitCode);
        Assert.Contains("does not know the model 'gpt-4-0314'", unknown.Error, StringComparison.Ordinal);

        using var server = new FakeJudgeServer(body => Answer("ratings", body));
        string[] arguments = Arguments("ratings", server.BaseUrl);
        var stopped = FarmProcess.RunAsking("k", [.. arguments, "--max-cost", "0.03", "--max-tokens", "100"]);
        Assert.Equal(130, stopped.ExitCode);
        Assert.Matches(@"Stopped by --max-cost: .* limit of 0\.03 US dollars; .* are kept in .+\.journal\.db; the same command with a higher --max-cost goes on", stopped.Error);
        Assert.InRange(server.Requests, 1, Rows - 1);
        Assert.Equal(0, FarmProcess.RunAsking("k", [.. arguments, "--max-cost", "9", "--max-tokens", "100"]).ExitCode);
        Assert.Equal(Rows, server.Requests);
    }

    [Fact]
    public void Should_go_on_after_a_kill_and_ask_failed_rows_again()
    {
        var answered = new ConcurrentQueue<string>();
        bool breaks = true;
        using var server = new FakeJudgeServer(body =>
        {
            if (breaks && body.Contains("item 3", StringComparison.Ordinal))
            {
                return FakeAnswer.Error(400, "no such thing");
            }

            answered.Enqueue(body);
            return Answer("oai-baseline", body) with { Delay = TimeSpan.FromMilliseconds(100) };
        });
        string[] arguments = [.. Arguments("oai-baseline", server.BaseUrl), "--json"];
        using (var process = FarmProcess.StartAsking("k", arguments))
        {
            SpinWait.SpinUntil(() => process.HasExited || answered.Count >= 6, TimeSpan.FromMinutes(10));
            process.Kill();
        }

        var broken = JsonElement.Parse(FarmProcess.RunAsking("k", arguments).Output);
        Assert.Equal((Rows - 1, 1), (broken.GetProperty("outputs").GetInt32(), broken.GetProperty("failed").GetInt32()));
        Assert.Contains("bad_request: the server said 400: no such thing", broken.GetProperty("failures")[0].GetProperty("reason").GetString(), StringComparison.Ordinal);
        // Two were on their way when the process died.
        Assert.InRange(answered.Count - answered.Distinct().Count(), 0, 2);
        breaks = false;
        int before = answered.Count;
        Assert.Equal(Rows, JsonElement.Parse(FarmProcess.RunAsking("k", arguments).Output).GetProperty("outputs").GetInt32());
        Assert.Equal(before + 1, answered.Count);
    }

    [Fact]
    public void Should_ask_pairs_without_a_preference_again_when_told_to()
    {
        bool mumbles = true;
        using var server = new FakeJudgeServer(body => mumbles && body.Contains("item 1", StringComparison.Ordinal) ? FakeAnswer.Chat("hm") : Answer("pairs", body));
        string[] arguments = [.. Arguments("pairs", server.BaseUrl), "--json"];
        var first = JsonElement.Parse(FarmProcess.RunAsking("k", arguments).Output);
        Assert.Equal((9, 3), (first.GetProperty("annotated").GetInt32(), first.GetProperty("failures").GetProperty("no_match").GetInt32()));
        mumbles = false;
        Assert.Equal(9, JsonElement.Parse(FarmProcess.RunAsking("k", arguments).Output).GetProperty("annotated").GetInt32());
        Assert.Equal(Rows, server.Requests);
        Assert.Equal(Rows, JsonElement.Parse(FarmProcess.RunAsking("k", [.. arguments, "--retry-failed"]).Output).GetProperty("annotated").GetInt32());
        Assert.Equal(Rows + 3, server.Requests);
    }

    [Fact]
    public void Should_spread_requests_over_the_clients_of_a_configuration()
    {
        using var limited = new FakeJudgeServer(_ => FakeAnswer.Error(429, "slow down") with { Headers = "Retry-After: 3600\r\n" });
        using var server = new FakeJudgeServer(body => Answer("pairs", body));
        string clients = _folder.Write("clients.yaml", $$"""
            default:
              - {api_key: "sk-file-one", base_url: "{{limited.BaseUrl}}"}
            gpt-4:
              - "default"
              - {api_key: "sk-file-two", base_url: "{{server.BaseUrl}}", organization: "org-x"}
            """);
        string[] all = Arguments("pairs", server.BaseUrl);
        int at = Array.IndexOf(all, "--base-url");
        string[] arguments = [.. all[..at], .. all[(at + 2)..], "--client-config", clients];
        var result = FarmProcess.RunAsking("", arguments);
        Assert.Equal((0, ""), (result.ExitCode, result.ExitCode == 0 ? "" : result.Error));
        Assert.Equal(Rows, server.Requests);
        Assert.InRange(limited.Requests, 1, 2);
        Assert.All(server.Heads, h => Assert.Contains("Bearer sk-file-two", h, StringComparison.Ordinal));
        Assert.All(Directory.EnumerateFiles(_folder.File("."), "out*"), f => Assert.DoesNotContain("sk-file", File.ReadAllText(f), StringComparison.Ordinal));
        Assert.Contains("exclude each other", FarmProcess.RunAsking("", [.. arguments, "--base-url", server.BaseUrl, "--reannotate"]).Error, StringComparison.Ordinal);
    }
}
