using System.Globalization;
using System.Text.Json;
using Farm.Annotation.Tests.Support;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

public sealed class AnnotateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Judge(string model = "gpt-4")
    {
        Directory.CreateDirectory(_folder.File("judges/one"));
        File.WriteAllText(_folder.File("judges/one/prompt.txt"), "<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>");
        File.WriteAllText(_folder.File("judges/one/configs.yaml"), $$$"""
            one:
              prompt_template: "one/prompt.txt"
              fn_completions: "openai_completions"
              completions_kwargs: {model_name: "{{{model}}}", max_tokens: 10, temperature: 0}
              completion_parser_kwargs: {outputs_to_match: {1: 'first', 2: 'second'}}
            """);
        return _folder.File("judges/one");
    }

    private string Pairs(int count) => _folder.Write("pairs.json", JsonSerializer.Serialize(Enumerable.Range(0, count).Select(i => new { instruction = $"instruction {i}", output_1 = $"a{i}", output_2 = $"b{i}" })));

    private static FarmProcess Start(string key, params string[] arguments) => FarmProcess.StartAsking(key, arguments);

    private static FarmResult Run(string key, params string[] arguments) => FarmProcess.RunAsking(key, arguments);

    /// <summary>Prefers the output that begins with b.</summary>
    private static FakeAnswer Honest(string body)
    {
        using var request = JsonDocument.Parse(body);
        string[] parts = request.RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!.Split('|');
        return FakeAnswer.Chat(parts[1].StartsWith('b') ? "first" : "second");
    }

    private static JsonElement[] Rows(string file)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(file));
        return [.. document.RootElement.Clone().EnumerateArray()];
    }

    [Fact]
    public void Should_annotate_pairs_and_use_the_journal_the_next_time()
    {
        using var server = new FakeJudgeServer(Honest);
        string[] arguments = ["annotate", "pairs", "--input", Pairs(20), "--judge", Judge(), "--output", _folder.File("out.json"), "--base-url", server.BaseUrl, "--json"];
        var first = Run("sk-test-key", arguments);
        Assert.Equal((0, string.Empty), (first.ExitCode, first.ExitCode == 0 ? string.Empty : first.Error));
        using var summary = JsonDocument.Parse(first.Output);
        Assert.Equal(20, summary.RootElement.GetProperty("annotated").GetInt32());
        Assert.Equal(100, summary.RootElement.GetProperty("output_2_preferred").GetDouble());
        Assert.Equal(20 * 100 * 3e-5, summary.RootElement.GetProperty("cost_usd").GetDouble(), 1e-9);
        Assert.All(Rows(_folder.File("out.json")), r => Assert.Equal(2, r.GetProperty("preference").GetDouble()));

        var second = Run("sk-test-key", [.. arguments, "--resume"]);
        Assert.Equal(0, second.ExitCode);
        Assert.Equal(20, server.Requests);
        Assert.All(Directory.EnumerateFiles(_folder.File("."), "*", SearchOption.AllDirectories), f => Assert.DoesNotContain("sk-test-key", File.ReadAllText(f), StringComparison.Ordinal));
        Assert.DoesNotContain("sk-test-key", first.Output + first.Error + second.Output + second.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_judge_pocket_rows_offline()
    {
        string input = _folder.Write("pairs.json", """
            [{"instruction":"Name two fruits.","input":"","output_1":"Zzz.","output_2":"Pear and plum."},
             {"instruction":"Name two fruits.","input":"","output_1":"Pear and plum.","output_2":"Zzz."},
             {"instruction":"Name two fruits.","input":"","output_1":"Zzz.","output_2":"Zzz."}]
            """);
        string output = _folder.File("out.json");
        foreach (string judge in new[] { "pocket", "pocket:gold" })
        {
            var result = Run(string.Empty, "annotate", "pairs", "--input", input, "--judge", judge, "--output", output);
            Assert.Equal(0, result.ExitCode);
            Assert.Equal([2.0, 1, 1.5], Rows(output).Select(r => r.GetProperty("preference").GetDouble()));
        }

        Assert.Equal("pocket_gold", Rows(output)[0].GetProperty("annotator").GetString());
    }

    [Fact]
    public void Should_pair_samples_and_models()
    {
        string samples = _folder.Write("samples.json", """[{"instruction":"i","input":"","output":["x","longer","xyz","longest of all"]}]""");
        string output = _folder.File("out.json");
        Assert.Equal(0, Run(string.Empty, "annotate", "samples", "--input", samples, "--judge", "longest", "--output", output).ExitCode);
        Assert.Equal(("x", "xyz", 2.0), (Rows(output)[0].GetProperty("output_1").GetString(), Rows(output)[0].GetProperty("output_2").GetString(), Rows(output)[0].GetProperty("preference").GetDouble()));

        string reference = _folder.Write("ref.json", """[{"instruction":"i","output":"long one","generator":"r"},{"instruction":"j","output":"s","generator":"r"}]""");
        string outputs = _folder.Write("model.json", """[{"instruction":"j","output":"longer","generator":"m"}]""");
        Assert.Equal(0, Run(string.Empty, "annotate", "head2head", "--reference", reference, "--outputs", outputs, "--judge", "longest", "--output", output).ExitCode);
        var row = Assert.Single(Rows(output));
        Assert.Equal(("r", "m", 2.0), (row.GetProperty("generator_1").GetString(), row.GetProperty("generator_2").GetString(), row.GetProperty("preference").GetDouble()));

        string stranger = _folder.Write("stranger.json", """[{"instruction":"k","output":"longer"}]""");
        var refused = Run(string.Empty, "annotate", "head2head", "--reference", reference, "--outputs", stranger, "--judge", "longest", "--output", output);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("row 1, field 'instruction': is not in", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_stop_at_the_cost_limit_and_go_on_with_a_higher_one()
    {
        using var server = new FakeJudgeServer(Honest);
        string output = _folder.File("out.json");
        string[] arguments = ["annotate", "pairs", "--input", Pairs(30), "--judge", Judge(), "--output", output, "--base-url", server.BaseUrl, "--max-concurrency", "2"];
        var stopped = Run("k", [.. arguments, "--max-cost", "0.03"]);
        Assert.Equal(130, stopped.ExitCode);
        Assert.Matches(@"Stopped by --max-cost 0\.03: 0\.0\d+ US dollars are spent; \d+ of 30 pairs are kept in ", stopped.Error);
        Assert.False(File.Exists(output));
        Assert.InRange(server.Requests, 1, 10);
        Assert.Equal(0, Run("k", [.. arguments, "--max-cost", "1", "--resume"]).ExitCode);
        Assert.Equal(30, server.Requests);
    }

    [Fact]
    public void Should_refuse_to_resume_a_run_of_other_pairs_and_two_runs_on_one_journal()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Chat("x") with { IsSilent = true });
        string journal = _folder.File("j.db");
        string[] arguments = ["annotate", "pairs", "--judge", Judge(), "--output", _folder.File("out.json"), "--base-url", server.BaseUrl, "--journal", journal];
        using (var first = Start("k", [.. arguments, "--input", Pairs(3)]))
        {
            SpinWait.SpinUntil(() => server.Requests > 0, TimeSpan.FromMinutes(10));
            var second = Run("k", [.. arguments, "--input", Pairs(3)]);
            Assert.Equal(2, second.ExitCode);
            Assert.Contains("is in use by another run", second.Error, StringComparison.Ordinal);
            first.Kill();
        }

        var resumed = Run("k", [.. arguments, "--input", Pairs(4), "--resume"]);
        Assert.Equal(2, resumed.ExitCode);
        Assert.Contains("other pairs, another judge or another seed", resumed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_name_what_is_wrong_and_write_nothing()
    {
        using var refusing = new FakeJudgeServer(_ => FakeAnswer.Error(401, "no"));
        using var ignorant = new FakeJudgeServer(_ => FakeAnswer.Error(404, "no", "model_not_found"));
        string output = _folder.File("out.json"), judge = Judge(), pairs = Pairs(2);
        string latin = _folder.File("latin.csv");
        File.WriteAllBytes(latin, [.. "instruction,output_1,output_2\ncaf"u8, 0xE9, .. ",a,b\n"u8]);
        (string Sentence, string Key, string[] Arguments)[] cases =
        [
            ("OPENAI_API_KEY is not set", "", ["--input", pairs, "--judge", judge]),
            ("refused the key in OPENAI_API_KEY (401)", "k", ["--input", pairs, "--judge", judge, "--base-url", refusing.BaseUrl]),
            ("does not know the model 'gpt-4'", "k", ["--input", pairs, "--judge", judge, "--base-url", ignorant.BaseUrl]),
            ("The judge nobody does not exist", "k", ["--input", pairs, "--judge", "nobody"]),
            ("There is no judge 'pocket:nobody'", "k", ["--input", pairs, "--judge", "pocket:nobody"]),
            ("row 1, field 'instruction': is none of the pocket world", "", ["--input", pairs, "--judge", "pocket"]),
            ("must be a positive number", "k", ["--input", pairs, "--judge", judge, "--max-cost", "0"]),
            ("must be from 0 to 0.5", "k", ["--input", pairs, "--judge", "longest", "--p-label-flip", "0.7"]),
            ("is no http or https address", "k", ["--input", pairs, "--judge", judge, "--base-url", "localhost:1"]),
            ("row 1: the field 'output_2' is missing", "k", ["--input", _folder.Write("x.json", """[{"instruction":"i","output_1":"a"}]"""), "--judge", judge]),
            ("no header row with the column 'instruction'", "k", ["--input", _folder.Write("x.csv", "Do,a,b\n"), "--judge", judge]),
            ("line 2: is not UTF-8", "k", ["--input", latin, "--judge", judge]),
            ("is not JSON", "k", ["--input", _folder.Write("n.json", """[{"instruction":"i","output_1":"a","output_2":"b","preference":NaN}]"""), "--judge", judge]),
            ("must be a number from 1 to 2", "k", ["--input", _folder.Write("p.json", """[{"instruction":"i","output_1":"a","output_2":"b","preference":3}]"""), "--judge", judge]),
        ];
        foreach (var (sentence, key, arguments) in cases)
        {
            var result = Run(key, ["annotate", "pairs", "--output", output, .. arguments]);
            Assert.Equal((2, sentence), (result.ExitCode, result.Error.Contains(sentence, StringComparison.Ordinal) ? sentence : result.Error));
            Assert.False(File.Exists(output));
        }

        Assert.InRange(refusing.Requests, 1, 2);
    }

    [Fact]
    public void Should_move_annotations_through_alpaca_evals_cache()
    {
        using var server = new FakeJudgeServer(Honest);
        string judge = Judge(), pairs = Pairs(5), cache = _folder.File("annotations_seed0_configs.json");
        Assert.Equal(0, Run("k", "annotate", "pairs", "--input", pairs, "--judge", judge, "--output", _folder.File("a.json"), "--journal", _folder.File("a.db"), "--base-url", server.BaseUrl).ExitCode);
        Assert.Contains(": 5 rows", Run("", "annotate", "export-cache", "--journal", _folder.File("a.db"), "--cache", cache).Output, StringComparison.Ordinal);
        Assert.StartsWith("5 annotations", Run("", "annotate", "import-cache", "--journal", _folder.File("b.db"), "--cache", cache, "--judge", judge).Output, StringComparison.Ordinal);
        Assert.Equal(0, Run("k", "annotate", "pairs", "--input", pairs, "--judge", judge, "--output", _folder.File("b.json"), "--journal", _folder.File("b.db"), "--base-url", server.BaseUrl).ExitCode);
        Assert.Equal(5, server.Requests);
        Assert.Equal(Rows(_folder.File("a.json")).Select(r => r.GetProperty("preference").GetDouble()), Rows(_folder.File("b.json")).Select(r => r.GetProperty("preference").GetDouble()));
        var reparsed = Run("", "annotate", "reparse", "--annotations", _folder.File("a.json"), "--judge", judge, "--json");
        Assert.Equal("""{"rows":5,"replies":5,"equal":5,"unparsed":0}""", reparsed.Output.Trim());
    }

    [Fact]
    public void Should_lose_nothing_and_pay_nothing_twice_when_servers_fail_and_the_run_is_killed_twice()
    {
        const int Count = 1000;
        var answered = new HashSet<int>();
        var paidTwice = new List<int>();
        var kept = new HashSet<int>();
        var random = new Random(7);
        using var server = new FakeJudgeServer(body =>
        {
            int start = body.IndexOf("instruction ", StringComparison.Ordinal) + 12;
            int index = int.Parse(body.AsSpan(start, body.IndexOf('|', start) - start), CultureInfo.InvariantCulture);
            lock (random)
            {
                if (kept.Contains(index))
                {
                    paidTwice.Add(index);
                }

                int lot = random.Next(100);
                switch (lot)
                {
                    case < 10:
                        return FakeAnswer.Error(429, "slow down") with { Headers = "Retry-After: 0\r\n" };
                    case < 20:
                        return FakeAnswer.Error(500, "oops");
                    case < 22:
                        return FakeAnswer.Chat("x") with { IsSilent = true };
                    case < 27:
                        return FakeAnswer.Chat("first") with { CutAt = 40 };
                    case < 30:
                        return new FakeAnswer(200, "{\"choices\": [");
                }

                answered.Add(index);
                return lot < 35 ? FakeAnswer.Chat("garbage") : Honest(body);
            }
        });
        string output = _folder.File("out.json"), journal = _folder.File("j.db");
        string[] arguments =
        [
            "annotate", "pairs", "--input", Pairs(Count), "--judge", Judge(), "--output", output, "--journal", journal, "--base-url", server.BaseUrl, "--max-concurrency", "64",
            "--timeout", "1", "--retry-delay", "0.002", "--max-retry-delay", "0.02", "--max-retries", "40", "--resume", "--json",
        ];
        foreach (int stopAt in new[] { 250, 600 })
        {
            using var process = Start("k", arguments);
            SpinWait.SpinUntil(() => process.HasExited || Locked(() => answered.Count) >= stopAt, TimeSpan.FromMinutes(10));
            process.Kill();
            using var reader = Farm.Annotation.Journaling.AnnotationJournal.Open(journal);
            Locked(() =>
            {
                kept.UnionWith(Kept(journal));
                return 0;
            });
            Assert.NotEmpty(kept);
        }

        using var last = Start("k", arguments);
        var result = last.Finish();
        Assert.Equal((0, string.Empty), (result.ExitCode, result.ExitCode == 0 ? string.Empty : result.Error));
        var rows = Rows(output);
        Assert.Equal(Count, rows.Length);
        Assert.Empty(paidTwice);
        Assert.All(rows, r => Assert.True(r.GetProperty("preference").ValueKind == JsonValueKind.Null ? r.GetProperty("preference_failure").GetString() == "no_match" : r.GetProperty("preference").GetDouble() == 2));
        Assert.InRange(rows.Count(r => r.GetProperty("preference").ValueKind == JsonValueKind.Null), 20, 150);
        using var summary = JsonDocument.Parse(result.Output);
        Assert.True(summary.RootElement.GetProperty("from_journal").GetInt32() >= kept.Count);

        T Locked<T>(Func<T> read)
        {
            lock (random)
            {
                return read();
            }
        }
    }

    /// <summary>The pairs whose reply is in a journal.</summary>
    private static List<int> Kept(string journal)
    {
        using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={journal};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT p.instruction FROM pairs p JOIN calls c ON c.id = p.call WHERE c.reply IS NOT NULL";
        using var rows = command.ExecuteReader();
        var kept = new List<int>();
        while (rows.Read())
        {
            kept.Add(int.Parse(rows.GetString(0).AsSpan(12), CultureInfo.InvariantCulture));
        }

        return kept;
    }
}
