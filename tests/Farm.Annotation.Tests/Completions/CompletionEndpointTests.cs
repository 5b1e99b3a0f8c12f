using System.Collections.Concurrent;
using System.Text.Json;
using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Annotation.Tests.Support;

namespace Farm.Annotation.Tests.Completions;

/// <summary>The completion endpoint takes several prompts in one request.</summary>
public sealed class CompletionEndpointTests : IDisposable
{
    private static readonly string Config = Folder.RegexConfig.Replace("gpt-4", "text-davinci-003", StringComparison.Ordinal);
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static OpenAiOptions Options(FakeJudgeServer server) => new()
    {
        Endpoint = new Uri(server.BaseUrl),
        ApiKeys = ["k"],
        MaxRetries = 2,
        RetryDelay = TimeSpan.FromMilliseconds(1),
        MaxRetryDelay = TimeSpan.FromMilliseconds(2),
        Gathering = TimeSpan.FromSeconds(30),
    };

    /// <summary>Prefers b, wherever it is shown; each choice for its prompt, in reverse order.</summary>
    private static FakeAnswer Answer(string[] prompts) => new(200, JsonSerializer.Serialize(new
    {
        choices = prompts.Index().Reverse().Select(p => new { index = p.Index, finish_reason = "stop", text = p.Item.IndexOf(": b", StringComparison.Ordinal) < p.Item.IndexOf(": a", StringComparison.Ordinal) ? "first" : "second" }),
        usage = new { total_tokens = 30 * prompts.Length },
    }));

    private static string[] Prompts(string body)
    {
        var prompt = JsonElement.Parse(body).GetProperty("prompt");
        return prompt.ValueKind == JsonValueKind.Array ? [.. prompt.EnumerateArray().Select(p => p.GetString()!)] : [prompt.GetString()!];
    }

    private async Task<IReadOnlyList<AnnotatedPair>> Annotate(OpenAiCompletionClient client, int pairs, CostLedger? ledger = null)
    {
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(_folder.Judge(Config, "{instruction}\n1: {output_1}\n2: {output_2}"))[0], client, ledger);
        return await new PairwiseAnnotator(judge, new AnnotatorOptions { MaxConcurrency = 4 }).AnnotatePairsAsync(Enumerable.Range(0, pairs).Select(i => new PairRow($"instruction {i}", $"a{i}", $"b{i}")));
    }

    [Fact]
    public async Task Should_ask_ten_prompts_at_once_and_share_the_cost()
    {
        var sizes = new ConcurrentQueue<int>();
        using var server = new FakeJudgeServer((path, body) =>
        {
            Assert.Equal("/v1/completions", path);
            sizes.Enqueue(Prompts(body).Length);
            return Answer(Prompts(body));
        });
        var ledger = new CostLedger();
        using var client = new OpenAiCompletionClient(Options(server));
        var pairs = await Annotate(client, 40, ledger);
        Assert.All(pairs, p => Assert.Equal(2, p.Preference));
        Assert.Equal([10, 10, 10, 10], sizes);
        Assert.Equal((1200.0, 40L), (ledger.Tokens, ledger.Requests));
        Assert.All(pairs, p => Assert.Equal(30 * 2e-5, p.Price!.Value, 1e-12));
    }

    [Fact]
    public async Task Should_send_what_has_waited_long_enough()
    {
        using var server = new FakeJudgeServer(body => Answer(Prompts(body)));
        using var client = new OpenAiCompletionClient(Options(server) with { Gathering = TimeSpan.FromMilliseconds(1) });
        Assert.All(await Annotate(client, 13), p => Assert.Equal(2, p.Preference));
    }

    [Fact]
    public async Task Should_ask_one_by_one_when_one_prompt_is_refused()
    {
        using var server = new FakeJudgeServer(body => Prompts(body).Any(p => p.Contains("instruction 7\n", StringComparison.Ordinal)) ? FakeAnswer.Error(400, "content", "content_filter") : Answer(Prompts(body)));
        using var client = new OpenAiCompletionClient(Options(server));
        var pairs = await Annotate(client, 10);
        Assert.Equal(FailureReason.Refused, Assert.Single(pairs, p => p.Preference is null).Failure!.Reason);
        Assert.Equal((7, 11), (pairs.Single(p => p.Preference is null).Index, server.Requests));
    }

    [Fact]
    public async Task Should_ask_one_by_one_a_server_that_answers_one_prompt_alone()
    {
        using var server = new FakeJudgeServer(body => Answer([Prompts(body)[0]]));
        using var client = new OpenAiCompletionClient(Options(server));
        Assert.All(await Annotate(client, 10), p => Assert.Equal(2, p.Preference));
    }

    [Fact]
    public async Task Should_type_a_failure_of_the_whole_request_for_each_of_its_prompts()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Error(500, "oops"));
        using var client = new OpenAiCompletionClient(Options(server));
        Assert.All(await Annotate(client, 10), p => Assert.Equal(FailureReason.ServerError, p.Failure!.Reason));
        Assert.Equal(3, server.Requests);
    }

    [Fact]
    public async Task Should_give_a_prompt_up_without_taking_the_others_along()
    {
        using var server = new FakeJudgeServer(body => Answer(Prompts(body)));
        using var client = new OpenAiCompletionClient(Options(server) with { PromptsPerRequest = 2 });
        using var stop = new CancellationTokenSource();
        var first = client.CompleteAsync(new CompletionRequest("m", false, """{"model":"m","prompt":": b : a"}"""u8.ToArray(), 1), stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var second = await client.CompleteAsync(new CompletionRequest("m", false, """{"model":"m","prompt":": a : b"}"""u8.ToArray(), 1), CancellationToken.None);
        Assert.Equal("second", second.Text);
    }
}
