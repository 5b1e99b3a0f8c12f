using System.Collections.Concurrent;
using System.Text.Json;
using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Annotation.Tests.Support;
using Farm.Core;
using Microsoft.Extensions.AI;

namespace Farm.Annotation.Tests.Annotating;

public sealed class PairwiseAnnotatorTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Prefers the greater text, wherever it is shown; counts how often it is asked.</summary>
    private static FunctionJudge Greater(ConcurrentBag<ShownPair> asked, string name = "greater") => new(name, (p, _) =>
    {
        asked.Add(p);
        return ValueTask.FromResult(string.CompareOrdinal(p.Output1, p.Output2) > 0 ? 1.0 : 2.0);
    });

    private static PairRow[] Rows(int count) => [.. Enumerable.Range(0, count).Select(i => new PairRow($"instruction {i}", i % 2 == 0 ? "a" : "b", i % 2 == 0 ? "b" : "a"))];

    [Fact]
    public async Task Should_unswitch_what_was_shown_switched()
    {
        var asked = new ConcurrentBag<ShownPair>();
        var results = await new PairwiseAnnotator(Greater(asked)).AnnotatePairsAsync(Rows(50));
        Assert.Equal(Enumerable.Range(0, 50), results.Select(r => r.Index));
        Assert.All(results, r => Assert.Equal(r.Index % 2 == 0 ? 2.0 : 1.0, r.Preference));
        Assert.InRange(results.Count(r => r.IsSwitched == true), 10, 40);
        Assert.All(asked, p => Assert.Equal(OutputSwap.IsSwitched(Greater(asked), p.Row!, 0), p.Output1 == p.Row!.Output2));
    }

    [Fact]
    public void Should_draw_the_order_that_alpaca_eval_draws()
    {
        var judge = Greater([]);
        Assert.False(OutputSwap.IsSwitched(judge, new PairRow("2+2", "", ""), 0));
        Assert.True(OutputSwap.IsSwitched(judge, new PairRow("2+3", "", ""), 0));
        Assert.True(OutputSwap.IsSwitched(judge, new PairRow("2+2", "", ""), 1));
        Assert.True(OutputSwap.IsSwitched(judge, new PairRow("How did US states get their names?", "", ""), 0));
        Assert.Equal(6, OutputSwap.Annotator(new PairRow("2+2", "", ""), 0, 13));
        Assert.Equal(2, OutputSwap.Noise(new PairRow("2+2", "", ""), 0, 0.25));
        Assert.Equal(1, OutputSwap.Noise(new PairRow("1+1", "", ""), 0, 0.25));
        Assert.Null(OutputSwap.Noise(new PairRow("2+3", "", ""), 0, 0.25));
    }

    [Fact]
    public async Task Should_not_ask_for_identical_outputs_nor_twice_for_duplicates()
    {
        var asked = new ConcurrentBag<ShownPair>();
        PairRow[] rows = [new("i", "a", "b"), new("i", "same", "same"), new("i", "a", "b"), new("i", "b", "a"), new("i", "a", "b")];
        var results = await new PairwiseAnnotator(Greater(asked)).AnnotatePairsAsync(rows);
        Assert.Equal([2.0, 1.5, 2, 1, 2], results.Select(r => r.Preference!.Value));
        Assert.Equal(PreferenceOrigin.IdenticalOutputs, results[1].Origin);
        Assert.Equal(2, asked.Count);
    }

    [Fact]
    public async Task Should_choose_the_annotator_by_the_instruction()
    {
        var asked = new ConcurrentBag<ShownPair>();
        var pool = Enumerable.Range(0, 13).Select(i => (IPairwiseJudge)Greater(asked, $"j{i}")).ToList();
        var results = await new PairwiseAnnotator(pool).AnnotatePairsAsync([new("2+2", "a", "b"), new("What is 1+1?", "a", "b"), new("2+2", "c", "d")]);
        Assert.Equal(["j6", "j0", "j6"], results.Select(r => r.Annotator));
    }

    [Fact]
    public async Task Should_give_noisy_labels_back_and_never_keep_them()
    {
        var asked = new ConcurrentBag<ShownPair>();
        using var journal = AnnotationJournal.Open(_folder.File("j.db"));
        var options = new AnnotatorOptions { LabelFlip = 0.25, Journal = journal };
        var results = await new PairwiseAnnotator(Greater(asked), options).AnnotatePairsAsync(Rows(400));
        int noisy = results.Count(r => r.Origin == PreferenceOrigin.Noise);
        Assert.InRange(noisy, 160, 240);
        Assert.All(results, r => Assert.True(r.Preference is 1 or 2));
        Assert.InRange(results.Count(r => r.Preference != (r.Index % 2 == 0 ? 2.0 : 1.0)), 60, 140);
        Assert.Equal(400 - noisy, journal.Count().Replies);

        var upstream = await new PairwiseAnnotator(Greater(asked), options with { LabelNoise = LabelNoiseMode.AlpacaEval }).AnnotatePairsAsync(Rows(400));
        Assert.Equal(noisy, upstream.Count(r => r.Preference is null));
        var clean = await new PairwiseAnnotator(Greater(asked), options with { LabelFlip = null }).AnnotatePairsAsync(Rows(400));
        Assert.All(clean, r => Assert.Equal(r.Index % 2 == 0 ? 2.0 : 1.0, r.Preference));
    }

    [Fact]
    public async Task Should_leave_annotated_rows_alone_when_asked_to()
    {
        var asked = new ConcurrentBag<ShownPair>();
        string file = _folder.Write("in.json", """[{"instruction":"i","output_1":"a","output_2":"b","annotator":"x","preference":1.0,"extra":7},{"instruction":"j","output_1":"a","output_2":"b","preference":null}]""");
        var results = await new PairwiseAnnotator(Greater(asked), new AnnotatorOptions { SkipAnnotated = true }).AnnotatePairsAsync(PairRow.Read(file));
        Assert.Equal([1.0, 2.0], results.Select(r => r.Preference!.Value));
        Assert.Single(asked);
        Assert.Equal("""{"instruction":"i","output_1":"a","output_2":"b","annotator":"x","preference":1.0,"extra":7}""", JsonSerializer.Serialize(results[0].ToRow().ToDictionary(f => f.Key, f => f.Value)));
        Assert.Equal(2, (await new PairwiseAnnotator(Greater(asked)).AnnotatePairsAsync(PairRow.Read(file)))[0].Preference);
    }

    [Fact]
    public async Task Should_ask_a_batch_in_the_shuffled_order_with_padding_and_map_it_back()
    {
        string folder = _folder.Judge(
            Folder.RegexConfig.Replace("  completion_parser", "  batch_size: 2\n  completion_parser", StringComparison.Ordinal),
            "<|im_start|>user\n{instruction}|{output_1}|{output_2}\n{instruction}|{output_1}|{output_2}<|im_end|>");
        var prompts = new ConcurrentQueue<string>();
        var client = new LambdaClient(body =>
        {
            using var document = JsonDocument.Parse(body);
            string prompt = document.RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!;
            prompts.Enqueue(prompt);
            return string.Join(' ', prompt.Split('\n').Select(l => l.Split('|')).Select(p => string.CompareOrdinal(p[1], p[2]) > 0 ? "first" : "second"));
        });
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(folder)[0], client);
        var results = await new PairwiseAnnotator(judge, new AnnotatorOptions { MaxConcurrency = 1 }).AnnotatePairsAsync(Rows(3));
        Assert.Equal([2.0, 1, 2], results.Select(r => r.Preference!.Value));
        // numpy's permutation of 4 with seed 0 is 2, 3, 1, 0; row 3 is the dummy.
        Assert.Equal(["instruction 2", "1+1=", "instruction 1", "instruction 0"], prompts.SelectMany(p => p.Split('\n')).Select(l => l.Split('|')[0]));
        Assert.All(results, r => Assert.Equal(2, r.Raw!.Value.GetString()!.Split(' ').Length));
    }

    [Fact]
    public async Task Should_write_alpaca_evals_columns()
    {
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(_folder.Judge())[0], new LambdaClient(_ => "first"));
        var pair = (await new PairwiseAnnotator(judge).AnnotatePairsAsync([new PairRow("2+2", "a", "b")]))[0];
        var row = pair.ToRow();
        Assert.Equal(
            ["instruction", "output_1", "output_2", "annotator", "preference", "preference_price_per_example", "preference_time_per_example", "preference_version", "preference_date", "preference_raw_completion"],
            row.Select(f => f.Key));
        Assert.Equal("1.0", row["preference"].GetRawText());
        Assert.Equal("0.003", row["preference_price_per_example"].GetRawText());
        Assert.Equal("judge", row.Text("annotator"));
    }

    [Fact]
    public async Task Should_type_what_cannot_be_read_and_keep_its_text()
    {
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(_folder.Judge())[0], new LambdaClient(_ => "neither"));
        var row = (await new PairwiseAnnotator(judge).AnnotatePairsAsync([new PairRow("2+2", "a", "b")]))[0].ToRow();
        Assert.Equal("null", row["preference"].GetRawText());
        Assert.Equal("neither", row.Text("preference_raw_completion"));
        Assert.Equal("no_match", row.Text("preference_failure"));
    }

    [Fact]
    public async Task Should_merge_the_input_for_a_judge_without_a_slot_for_it()
    {
        var asked = new ConcurrentBag<ShownPair>();
        var results = await new PairwiseAnnotator(Greater(asked)).AnnotatePairsAsync([new("i", "a", "b", "x"), new("i", "a", "b", "")]);
        Assert.Equal(["i", "i\n\nx"], asked.Select(p => p.Instruction).Order(StringComparer.Ordinal));
        Assert.Equal("i", results[0].ToRow().Text("instruction"));
    }

    [Fact]
    public async Task Should_stop_before_the_limit_and_keep_what_is_paid()
    {
        var config = JudgeConfigReader.Read(_folder.Judge())[0];
        using var journal = AnnotationJournal.Open(_folder.File("j.db"));
        var ledger = new CostLedger(0.02);
        var annotator = new PairwiseAnnotator(new ConfiguredJudge(config, new LambdaClient(_ => "first"), ledger), new AnnotatorOptions { Journal = journal, MaxConcurrency = 1 });
        await Assert.ThrowsAsync<CostLimitException>(() => annotator.AnnotatePairsAsync(Rows(50)));
        Assert.InRange(ledger.Spent, 0.003, 0.02);
        long paid = journal.Count().Replies;
        Assert.InRange(paid, 1, 6);

        var more = new CostLedger(10);
        var results = await new PairwiseAnnotator(new ConfiguredJudge(config, new LambdaClient(_ => "first"), more), new AnnotatorOptions { Journal = journal }).AnnotatePairsAsync(Rows(50));
        Assert.Equal(paid, results.Count(r => r.FromJournal));
        Assert.Equal(50 - paid, more.Requests);
    }

    [Fact]
    public async Task Should_end_at_the_first_error_that_no_request_survives()
    {
        int asked = 0;
        var judge = new FunctionJudge("broken", (_, _) => Interlocked.Increment(ref asked) > 0 ? throw new BadInputException("No key.") : default);
        await Assert.ThrowsAsync<BadInputException>(() => new PairwiseAnnotator(judge, new AnnotatorOptions { MaxConcurrency = 2 }).AnnotatePairsAsync(Rows(500)));
        Assert.InRange(asked, 1, 20);
    }

    [Fact]
    public async Task Should_let_requests_in_flight_come_home_after_a_stop()
    {
        using var stop = new CancellationTokenSource();
        var inFlight = new TaskCompletionSource();
        int finished = 0;
        var judge = new FunctionJudge("slow", async (_, _) =>
        {
            inFlight.TrySetResult();
            await stop.Token.WhenCancelled();
            Interlocked.Increment(ref finished);
            return 1;
        });
        using var journal = AnnotationJournal.Open(_folder.File("j.db"));
        var run = new PairwiseAnnotator(judge, new AnnotatorOptions { MaxConcurrency = 4, Journal = journal, Grace = TimeSpan.FromSeconds(60) }).AnnotatePairsAsync(Rows(100), stop.Token);
        await inFlight.Task;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.InRange(finished, 1, 8);
        Assert.Equal(finished, journal.Count().Replies);
    }

    [Fact]
    public async Task Should_take_any_chat_client_for_a_judge()
    {
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(_folder.Judge())[0], new ChatClientCompletionClient(new EchoClient()));
        var result = (await new PairwiseAnnotator(judge).AnnotatePairsAsync([new PairRow("2+2", "a", "b")]))[0];
        Assert.Equal(1, result.Preference);
        Assert.Equal("the first, says gpt-4 at 0", result.Raw!.Value.GetString());
    }

    [Fact]
    public void Should_refuse_options_out_of_range()
    {
        Assert.Throws<BadInputException>(() => new PairwiseAnnotator(Greater([]), new AnnotatorOptions { LabelFlip = 0.6 }));
        Assert.Throws<BadInputException>(() => new PairwiseAnnotator(Greater([]), new AnnotatorOptions { LabelFlip = double.NaN }));
        Assert.Throws<BadInputException>(() => new PairwiseAnnotator(Greater([]), new AnnotatorOptions { MaxConcurrency = 0 }));
        Assert.Throws<BadInputException>(() => new PairwiseAnnotator([]));
        Assert.Throws<BadInputException>(() => new PairwiseAnnotator([Greater([]), Greater([])]));
    }

    [Fact]
    public async Task Should_find_a_judges_number_out_of_range()
    {
        foreach (var (value, reason) in new[] { (3.0, FailureReason.OutOfRange), (double.NaN, FailureReason.NotANumber) })
        {
            var judge = new FunctionJudge("wild", (_, _) => ValueTask.FromResult(value));
            var result = (await new PairwiseAnnotator(judge).AnnotatePairsAsync(Rows(1)))[0];
            Assert.Null(result.Preference);
            Assert.Equal(reason, result.Failure!.Reason);
        }
    }

    private sealed class EchoClient : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, $"the first, says {options!.ModelId} at {options.Temperature}")));

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}

/// <summary>A client that is a function of the request's body.</summary>
internal sealed class LambdaClient(Func<string, string> reply) : ICompletionClient
{
    public Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        string text = reply(System.Text.Encoding.UTF8.GetString(request.Body.Span));
        return Task.FromResult(new CompletionReply { Text = text, TotalTokens = 100, Choice = JsonSerializer.SerializeToElement(new { text }) });
    }
}

internal static class Cancelled
{
    /// <summary>A task that ends when the token is cancelled.</summary>
    public static Task WhenCancelled(this CancellationToken token)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        token.Register(() => done.TrySetResult());
        return done.Task;
    }
}
