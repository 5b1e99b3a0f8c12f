using System.Text.Json;
using Farm.Annotation.Annotating;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Annotation.Tests.Annotating;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Journaling;

public sealed class JournalTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ConfiguredJudge Judge(Func<string, string> reply, string? yaml = null) => new(JudgeConfigReader.Read(_folder.Judge(yaml ?? Folder.RegexConfig))[0], new LambdaClient(reply));

    private static PairRow[] Rows(int count) => [.. Enumerable.Range(0, count).Select(i => new PairRow($"instruction {i}", "a", "b"))];

    private async Task<IReadOnlyList<AnnotatedPair>> Run(IPairwiseJudge judge, int rows, Func<AnnotatorOptions, AnnotatorOptions>? change = null)
    {
        using var journal = AnnotationJournal.Open(_folder.File("j.db"));
        var options = new AnnotatorOptions { Journal = journal };
        return await new PairwiseAnnotator(judge, change?.Invoke(options) ?? options).AnnotatePairsAsync(Rows(rows));
    }

    [Fact]
    public async Task Should_not_ask_again_for_what_is_kept()
    {
        int asked = 0;
        var judge = Judge(_ => Interlocked.Increment(ref asked) > 0 ? "first" : "");
        var before = await Run(judge, 30);
        var after = await Run(judge, 40);
        Assert.Equal(40, asked);
        Assert.Equal(30, after.Count(r => r.FromJournal));
        for (int i = 0; i < 30; i++)
        {
            string[] rows = [.. new[] { before[i], after[i] }.Select(r => PandasJson.Write([r.ToRow()]))];
            Assert.Equal(rows[0], rows[1]);
        }
    }

    [Fact]
    public async Task Should_ask_again_with_another_seed_or_prompt_and_read_anew_with_another_parser()
    {
        int asked = 0;
        string Reply(string _) => Interlocked.Increment(ref asked) > 0 ? "first" : "";
        await Run(Judge(Reply), 5);
        await Run(Judge(Reply), 5, o => o with { Seed = 1 });
        await Run(Judge(Reply, Folder.RegexConfig.Replace("max_tokens: 10", "max_tokens: 11", StringComparison.Ordinal)), 5);
        Assert.Equal(15, asked);
        var swapped = await Run(Judge(Reply, Folder.RegexConfig.Replace("1: 'first'", "1: 'zweite'", StringComparison.Ordinal).Replace("2: 'second'", "2: 'first'", StringComparison.Ordinal)), 5);
        Assert.Equal(15, asked);
        Assert.All(swapped, r => Assert.Equal(r.IsSwitched == true ? 1.0 : 2.0, r.Preference));
        await Run(Judge(Reply), 5, o => o with { AvoidReannotations = false });
        Assert.Equal(20, asked);
    }

    [Fact]
    public async Task Should_ask_again_for_failures_only_when_told_to()
    {
        int asked = 0;
        bool works = false;
        var judge = Judge(body => Interlocked.Increment(ref asked) > 0 && (works || body.Contains("instruction 1", StringComparison.Ordinal)) ? "second" : "hm");
        var first = await Run(judge, 6);
        Assert.Equal(5, first.Count(r => r.Failure?.Reason == FailureReason.NoMatch));
        works = true;
        var second = await Run(judge, 6);
        Assert.Equal((6, 5), (asked, second.Count(r => r.Failure is not null && r.FromJournal)));
        var third = await Run(judge, 6, o => o with { RetryFailed = true });
        Assert.Equal(11, asked);
        Assert.All(third, r => Assert.NotNull(r.Preference));
        Assert.All(await Run(judge, 6), r => Assert.True(r.FromJournal && r.Preference is not null));
    }

    [Fact]
    public void Should_let_one_run_have_it_at_a_time()
    {
        string path = _folder.File("j.db");
        using (AnnotationJournal.Open(path))
        {
            Assert.Contains("is in use by another run", Assert.Throws<BadInputException>(() => AnnotationJournal.Open(path)).Message, StringComparison.Ordinal);
        }

        AnnotationJournal.Open(path).Dispose();
    }

    [Fact]
    public void Should_refuse_a_file_that_is_no_journal()
    {
        string path = _folder.Write("j.db", "this is some text and no database at all, long enough to be looked at");
        Assert.Contains("is no journal of annotations", Assert.Throws<BadInputException>(() => AnnotationJournal.Open(path)).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<BadInputException>(() => AnnotationJournal.Open(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_keep_a_request_before_its_reply_and_find_only_replies()
    {
        string path = _folder.File("j.db");
        var never = new TaskCompletionSource<double>();
        using (var journal = AnnotationJournal.Open(path))
        {
            var asked = new TaskCompletionSource();
            var judge = new FunctionJudge("lost", async (_, token) =>
            {
                asked.TrySetResult();
                return await never.Task.WaitAsync(token);
            });
            using var stop = new CancellationTokenSource();
            var run = new PairwiseAnnotator(judge, new AnnotatorOptions { Journal = journal, Grace = TimeSpan.Zero }).AnnotatePairsAsync(Rows(1), stop.Token);
            await asked.Task;
            Assert.Equal((1, 0), journal.Count());
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        }

        using var again = AnnotationJournal.Open(path);
        var results = await new PairwiseAnnotator(new FunctionJudge("lost", (_, _) => ValueTask.FromResult(2.0)), new AnnotatorOptions { Journal = again }).AnnotatePairsAsync(Rows(1));
        Assert.False(results[0].FromJournal);
        Assert.Equal((2, 1), again.Count());
    }

    [Fact]
    public async Task Should_remember_an_unfinished_run()
    {
        using var journal = AnnotationJournal.Open(_folder.File("j.db"));
        Assert.Null(journal.UnfinishedRun());
        await journal.BeginRunAsync("one");
        Assert.Equal("one", journal.UnfinishedRun());
        await journal.EndRunAsync();
        Assert.Null(journal.UnfinishedRun());
    }

    [Fact]
    public async Task Should_take_a_cache_in_and_give_it_out_again()
    {
        string cache = _folder.Write("cache.json", """
            [{"instruction":"2+3","output_1":"4","output_2":"5","annotator":"judge","preference":2.0,"preference_raw_completion":"first"},
             {"instruction":"old","output_1":"4","output_2":"5","annotator":"judge","preference":1,"price_per_example":0.5},
             {"instruction":"tried","output_1":"4","output_2":"5","annotator":"judge","preference":-1.0,"preference_raw_completion":null},
             {"instruction":"other","output_1":"4","output_2":"5","annotator":"stranger","preference":1.0}]
            """);
        int asked = 0;
        var judge = Judge(_ => Interlocked.Increment(ref asked) > 0 ? "first" : "");
        using var journal = AnnotationJournal.Open(_folder.File("j.db"));
        Assert.Equal((3, 1), await AlpacaEvalCache.ImportAsync(journal, cache, [judge], 0));
        PairRow[] rows = [new("2+3", "4", "5"), new("old", "4", "5"), new("tried", "4", "5")];
        var results = await new PairwiseAnnotator(judge, new AnnotatorOptions { Journal = journal }).AnnotatePairsAsync(rows);
        Assert.Equal(0, asked);
        Assert.Equal([2.0, 1.0, null], results.Select(r => r.Preference));
        Assert.Equal("imported", results[2].Failure!.Code);
        Assert.True((await new PairwiseAnnotator(judge, new AnnotatorOptions { Journal = journal, RetryFailed = true }).AnnotatePairsAsync(rows)).All(r => r.Preference is not null));
        Assert.Equal(1, asked);

        string exported = _folder.Write("out.json", """[{"instruction":"mine","output_1":"a","output_2":"b","annotator":"judge","preference":1.5},{"instruction":"old","output_1":"4","output_2":"5","annotator":"judge","preference":2}]""");
        Assert.Equal(4, AlpacaEvalCache.Export(journal, exported, null, 0));
        var back = AnnotationRows.Read(exported).ToDictionary(j => j.Instruction);
        Assert.Equal((1.5, 2.0, 1.0), (back["mine"].Preference, back["2+3"].Preference, back["old"].Preference));
        Assert.Equal("first", back["2+3"].RawCompletion!.Value.GetString());
        Assert.Equal(0, AlpacaEvalCache.Export(journal, _folder.File("seed1.json"), null, 1));
    }

    [Fact]
    public async Task Should_keep_object_replies_as_they_are()
    {
        string yaml = Folder.RegexConfig.Replace("completion_parser_kwargs:", "completion_key: completions_all\n  fn_completion_parser: logprob_parser\n  completion_parser_kwargs: {numerator_token: m, denominator_tokens: [m, M], is_binarize: false}", StringComparison.Ordinal);
        yaml = yaml[..yaml.IndexOf("    outputs_to_match", StringComparison.Ordinal)];
        var judge = Judge(_ => "m", yaml);
        var failed = (await Run(judge, 1))[0];
        Assert.Equal(FailureReason.NoLogprobs, failed.Failure!.Reason);
        Assert.Equal(JsonValueKind.Object, (await Run(judge, 1))[0].Raw!.Value.ValueKind);
    }
}
