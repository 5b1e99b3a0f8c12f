using System.Text;
using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Annotation.Parsing;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Completions;

public class OpenAiCompletionClientTests
{
    private static OpenAiOptions Options(FakeJudgeServer server) => new()
    {
        Endpoint = new Uri(server.BaseUrl),
        ApiKeys = ["sk-secret"],
        RetryDelay = TimeSpan.FromMilliseconds(1),
        MaxRetryDelay = TimeSpan.FromMilliseconds(5),
        MaxRetries = 3,
        Timeout = TimeSpan.FromSeconds(30),
    };

    private static CompletionRequest Request(bool isChat = true, string body = """{"model":"m","max_tokens":100}""") => new("m", isChat, Encoding.UTF8.GetBytes(body), 100);

    private static async Task<CompletionReply> Ask(FakeJudgeServer server, CompletionRequest? request = null, OpenAiOptions? options = null)
    {
        using var client = new OpenAiCompletionClient(options ?? Options(server));
        return await client.CompleteAsync(request ?? Request(), CancellationToken.None);
    }

    [Fact]
    public async Task Should_send_the_body_unchanged_with_the_key_and_keep_the_choice()
    {
        (string Path, string Body) seen = default;
        using var server = new FakeJudgeServer((path, body) =>
        {
            seen = (path, body);
            return new FakeAnswer(200, """{"choices":[{"index":0,"finish_reason":"stop","logprobs":null,"message":{"role":"assistant","content":"hi"}}],"usage":{"total_tokens":12}}""");
        });
        var reply = await Ask(server);
        Assert.Equal(("/v1/chat/completions", """{"model":"m","max_tokens":100}"""), seen);
        Assert.Contains("Authorization: Bearer sk-secret", server.Heads.Single(), StringComparison.Ordinal);
        Assert.Equal(("hi", 12.0, 1), (reply.Text, reply.TotalTokens, reply.Attempts));
        Assert.Equal(["index", "finish_reason", "logprobs", "message", "text", "total_tokens"], reply.Choice!.Value.EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public async Task Should_read_tool_calls_function_calls_plain_texts_and_nothing()
    {
        foreach (var (message, text) in new[]
        {
            (""" "message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}},{"function":{"arguments":"x"}}]} """, """{"a":1}"""),
            (""" "message":{"content":null,"function_call":{"name":"f","arguments":"[2]"}} """, "[2]"),
            (""" "text":"plain" """, "plain"),
            (""" "message":{"content":null} """, " "),
        })
        {
            using var server = new FakeJudgeServer(_ => new FakeAnswer(200, $$"""{"choices":[{ {{message}} }]}"""));
            Assert.Equal(text, (await Ask(server, Request(isChat: false))).Text);
        }
    }

    [Theory]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(408)]
    public async Task Should_try_again_after_a_passing_failure(int status)
    {
        int asked = 0;
        using var server = new FakeJudgeServer(_ => asked++ < 2 ? FakeAnswer.Error(status, "later") : FakeAnswer.Chat("ok"));
        var reply = await Ask(server);
        Assert.Equal(("ok", 3), (reply.Text, reply.Attempts));
    }

    [Fact]
    public async Task Should_try_again_after_a_body_that_is_cut_off_or_no_JSON()
    {
        int asked = 0;
        using var server = new FakeJudgeServer(_ => asked++ switch
        {
            0 => new FakeAnswer(200, "<html>"),
            1 => FakeAnswer.Chat("a long enough reply") with { CutAt = 30 },
            2 => new FakeAnswer(200, """{"choices":[{"mess"""),
            _ => FakeAnswer.Chat("ok"),
        });
        Assert.Equal("ok", (await Ask(server)).Text);
    }

    [Fact]
    public async Task Should_give_up_with_a_typed_failure()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Error(429, "slow down"));
        var reply = await Ask(server);
        Assert.Equal((FailureReason.RateLimited, 4), (reply.Failure!.Reason, reply.Attempts));
        Assert.Equal("rate_limited", reply.Failure.Code);
        Assert.Contains("429: slow down", reply.Failure.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_count_a_late_answer_as_a_timeout()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Chat("x") with { IsSilent = true });
        var reply = await Ask(server, options: Options(server) with { Timeout = TimeSpan.FromMilliseconds(20), MaxRetries = 1 });
        Assert.Equal((FailureReason.Timeout, 2), (reply.Failure!.Reason, reply.Attempts));
    }

    [Fact]
    public async Task Should_say_that_nobody_is_there()
    {
        var server = new FakeJudgeServer(_ => FakeAnswer.Chat("x"));
        var options = Options(server) with { MaxRetries = 0 };
        server.Dispose();
        Assert.Equal(FailureReason.Unreachable, (await Ask(server, options: options)).Failure!.Reason);
    }

    [Theory]
    [InlineData("Retry-After: 7\r\n", 7000)]
    [InlineData("retry-after-ms: 1500\r\n", 1500)]
    public async Task Should_wait_as_long_as_the_server_says(string header, int milliseconds)
    {
        int asked = 0;
        using var server = new FakeJudgeServer(_ => asked++ == 0 ? FakeAnswer.Error(429, "later") with { Headers = header } : FakeAnswer.Chat("ok"));
        var clock = new JumpingClock();
        var reply = await Ask(server, options: Options(server) with { Clock = clock, MaxRetryDelay = TimeSpan.FromSeconds(60) });
        Assert.Equal("ok", reply.Text);
        Assert.Contains(TimeSpan.FromMilliseconds(milliseconds), clock.Waits);
    }

    [Fact]
    public async Task Should_spread_requests_over_the_minute()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Chat("ok"));
        var clock = new JumpingClock();
        using var client = new OpenAiCompletionClient(Options(server) with { Clock = clock, RequestsPerMinute = 10 });
        for (int i = 0; i < 4; i++)
        {
            await client.CompleteAsync(Request(), CancellationToken.None);
        }

        // One goes at once and one more fits into the burst of a tenth of a minute; each later one waits six seconds more.
        Assert.True(clock.Waits.Sum(w => w.TotalSeconds) >= 11.9, string.Join(", ", clock.Waits));
    }

    [Fact]
    public async Task Should_ask_for_fewer_tokens_when_told_to_and_send_the_smaller_number()
    {
        var sizes = new List<int>();
        using var server = new FakeJudgeServer(body =>
        {
            using var request = JsonDocument.Parse(body);
            sizes.Add(request.RootElement.GetProperty("max_tokens").GetInt32());
            return sizes[^1] > 60 ? FakeAnswer.Error(400, "Please reduce the length") : FakeAnswer.Chat("ok");
        });
        Assert.Equal("ok", (await Ask(server)).Text);
        Assert.Equal([100, 80, 64, 51], sizes);
    }

    [Fact]
    public async Task Should_type_a_refusal_and_a_wrong_request_without_trying_again()
    {
        using var refusing = new FakeJudgeServer(_ => FakeAnswer.Error(400, "Please try again with a different prompt."));
        var refused = await Ask(refusing);
        Assert.Equal((FailureReason.Refused, 1), (refused.Failure!.Reason, refused.Attempts));
        using var strict = new FakeJudgeServer(_ => FakeAnswer.Error(400, "bad logit_bias"));
        Assert.Equal(FailureReason.BadRequest, (await Ask(strict)).Failure!.Reason);
    }

    [Theory]
    [InlineData(401, "", "refused the key in OPENAI_API_KEY")]
    [InlineData(403, "", "does not let the key in OPENAI_API_KEY use the model 'm'")]
    [InlineData(404, "model_not_found", "does not know the model 'm'")]
    [InlineData(400, "model_not_found", "does not know the model 'm'")]
    [InlineData(429, "insufficient_quota", "has no quota left")]
    public async Task Should_stop_where_no_request_can_succeed(int status, string code, string sentence)
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Error(status, "no", code));
        var e = await Assert.ThrowsAsync<BadInputException>(() => Ask(server));
        Assert.Contains(sentence, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-secret", e.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public void Should_not_show_keys_in_its_options() => Assert.DoesNotContain("sk-", new OpenAiOptions { ApiKeys = ["sk-secret"] }.ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData("ftp://x")]
    [InlineData("127.0.0.1:80")]
    [InlineData("nonsense")]
    public void Should_refuse_an_address_that_is_none(string address) => Assert.Throws<BadInputException>(() => OpenAiOptions.Address(address));

    /// <summary>A clock on which every wait is over at once, and remembered.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private readonly Lock _lock = new();
        private long _now;

        public List<TimeSpan> Waits { get; } = [];

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _now);

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _now), TimeSpan.Zero);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                lock (_lock)
                {
                    Waits.Add(dueTime);
                }

                Interlocked.Add(ref _now, dueTime.Ticks);
                ThreadPool.QueueUserWorkItem(_ => callback(state));
            }

            return new Stopped();
        }

        private sealed class Stopped : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
