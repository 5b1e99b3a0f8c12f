using System.ClientModel;
using System.ClientModel.Primitives;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Annotation.Parsing;
using Polly;
using Polly.Retry;

namespace Farm.Annotation.Completions;

/// <summary>
/// OpenAI-compatible servers, through the OpenAI package's pipeline: retries with back-off that honours Retry-After and goes to another account
/// where there are several, a limit for each attempt's time, limits on requests and tokens a minute, and several prompts in a request of the
/// completion endpoint.
/// </summary>
public sealed class OpenAiCompletionClient : ICompletionClient, IDisposable
{
    private const string ReduceHint = "Please reduce";
    private readonly OpenAiOptions _options;
    private readonly HttpClient _http;
    private readonly HttpClientPipelineTransport _transport;
    private readonly ConcurrentDictionary<string, AccountPool> _pools = new(StringComparer.Ordinal);
    private readonly ResiliencePipeline<OpenAiAttempt> _resilience;
    private readonly CompletionBatcher _batcher;
    private readonly RateGate? _requests;
    private readonly RateGate? _tokens;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    public OpenAiCompletionClient(OpenAiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Math.Max(options.MaxConcurrency, 1), PooledConnectionLifetime = TimeSpan.FromMinutes(10) })
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
        _transport = new HttpClientPipelineTransport(_http);
        _resilience = Resilience(options);
        _batcher = new CompletionBatcher(options.Gathering, options.Clock, AskManyAsync);
        _requests = options.RequestsPerMinute is { } requests ? new RateGate(requests, options.Clock) : null;
        _tokens = options.TokensPerMinute is { } tokens ? new RateGate(tokens, options.Clock) : null;
    }

    /// <inheritdoc/>
    public Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        int together = request.IsChat ? 1 : request.PromptsPerRequest ?? _options.PromptsPerRequest;
        return together > 1 && CompletionBatcher.HasPrompt(request) ? _batcher.CompleteAsync(request, together, cancellationToken) : AskAsync(request, cancellationToken);
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    private async Task<CompletionReply> AskAsync(CompletionRequest request, CancellationToken cancellation)
    {
        var (attempt, attempts) = await RetryAsync(request, 1, cancellation).ConfigureAwait(false);
        return attempt.Replies is [var reply] ? reply with { Attempts = attempts } : new CompletionReply { Attempts = attempts, Failure = attempt.Failure };
    }

    private async Task<IReadOnlyList<CompletionReply>> AskManyAsync(CompletionRequest request, int prompts, CancellationToken cancellation)
    {
        if (prompts == 1)
        {
            return [await AskAsync(request, cancellation).ConfigureAwait(false)];
        }

        var (attempt, attempts) = await RetryAsync(request, prompts, cancellation).ConfigureAwait(false);
        if (attempt.Replies is { } replies)
        {
            return [.. replies.Select(r => r with { Attempts = attempts })];
        }

        if (attempt.IsTransient)
        {
            return [.. Enumerable.Repeat(new CompletionReply { Attempts = attempts, Failure = attempt.Failure }, prompts)];
        }

        // One prompt that the server will not have, or a server that takes one at a time, must not cost the others their replies.
        var single = JsonNode.Parse(request.Body.Span)!.AsObject();
        var texts = single["prompt"]!.AsArray().Select(p => p!.GetValue<string>()).ToList();
        return await Task.WhenAll(texts.Select(text =>
        {
            var body = (JsonObject)single.DeepClone();
            body["prompt"] = text;
            return AskAsync(request with { Body = JsonSerializer.SerializeToUtf8Bytes(body), EstimatedTokens = request.EstimatedTokens / prompts }, cancellation);
        })).ConfigureAwait(false);
    }

    /// <summary>Asks until there is an answer, a failure that does not pass, or no attempt left.</summary>
    private async Task<(OpenAiAttempt Attempt, int Attempts)> RetryAsync(CompletionRequest request, int prompts, CancellationToken cancellation)
    {
        int attempts = 0;
        var sent = request;
        while (true)
        {
            var now = sent;
            var attempt = await _resilience.ExecuteAsync(
                async token =>
                {
                    attempts++;
                    return await TryAsync(now, prompts, token).ConfigureAwait(false);
                },
                cancellation).ConfigureAwait(false);
            if (prompts == 1 && attempt.Message.Contains(ReduceHint, StringComparison.Ordinal) && Reduced(sent.Body) is { } smaller)
            {
                sent = sent with { Body = smaller };
                continue;
            }

            attempt.StopIfHopeless(request.Model);
            return (attempt, attempts);
        }
    }

    private static ResiliencePipeline<OpenAiAttempt> Resilience(OpenAiOptions options)
    {
        var builder = new ResiliencePipelineBuilder<OpenAiAttempt> { TimeProvider = options.Clock };
        if (options.MaxRetries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<OpenAiAttempt>
            {
                ShouldHandle = new PredicateBuilder<OpenAiAttempt>().HandleResult(a => a.IsTransient),
                MaxRetryAttempts = options.MaxRetries,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = options.RetryDelay,
                MaxDelay = options.MaxRetryDelay,
                DelayGenerator = a => ValueTask.FromResult(a.Outcome.Result?.RetryAfter is { } wait ? wait < options.MaxRetryDelay ? wait : options.MaxRetryDelay : (TimeSpan?)null),
            });
        }

        return builder.Build();
    }

    private async Task<OpenAiAttempt> TryAsync(CompletionRequest request, int prompts, CancellationToken cancellationToken)
    {
        if (_requests is not null)
        {
            await _requests.WaitAsync(1, cancellationToken).ConfigureAwait(false);
        }

        if (_tokens is not null)
        {
            await _tokens.WaitAsync(request.EstimatedTokens, cancellationToken).ConfigureAwait(false);
        }

        var pool = _pools.GetOrAdd(request.Model, m => new AccountPool(_options.AccountsOf(m), _options, _transport));
        var seat = pool.Take();
        var patience = seat.Account.Timeout ?? _options.Timeout;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(patience);
        try
        {
            var attempt = await SendAsync(seat, request, prompts, limit.Token).ConfigureAwait(false);
            if (attempt.Replies is not { } replies)
            {
                return Rotated(pool, seat, attempt);
            }

            pool.Answered(seat);
            if (_tokens is not null && replies.All(r => r.TotalTokens is not null))
            {
                _tokens.Correct(request.EstimatedTokens, replies.Sum(r => r.TotalTokens!.Value));
            }

            return attempt;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return OpenAiAttempt.Passing(FailureReason.Timeout, $"no answer within {patience.TotalSeconds:0.###} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or ClientResultException)
        {
            return OpenAiAttempt.Passing(FailureReason.Unreachable, $"{seat.Account.Endpoint.Authority}: {e.Message.ReplaceLineEndings(" ")}");
        }
        catch (JsonException e)
        {
            return OpenAiAttempt.Passing(FailureReason.ServerError, $"the answer cannot be read: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>Lets an account that is limited or spent rest, and says when another may be asked.</summary>
    private static OpenAiAttempt Rotated(AccountPool pool, AccountPool.Seat seat, OpenAiAttempt attempt)
    {
        if (attempt.HasNoQuota)
        {
            return pool.Spend(seat) is { } next ? attempt with { IsTransient = true, RetryAfter = next } : attempt;
        }

        return attempt.Status == 429 ? attempt with { RetryAfter = pool.Limit(seat, attempt.RetryAfter) } : attempt;
    }

    private async Task<OpenAiAttempt> SendAsync(AccountPool.Seat seat, CompletionRequest request, int prompts, CancellationToken cancellationToken)
    {
        using var message = seat.Pipeline.CreateMessage();
        message.BufferResponse = true;
        message.Request.Method = "POST";
        message.Request.Uri = seat.Account.Address(request.Model, request.IsChat);
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Headers.Set("Accept", "application/json");
        foreach (var (name, value) in seat.Account.Headers)
        {
            message.Request.Headers.Set(name, value);
        }

        message.Request.Content = BinaryContent.Create(BinaryData.FromBytes(request.Body));
        message.Apply(new RequestOptions { CancellationToken = cancellationToken });
        await seat.Pipeline.SendAsync(message).ConfigureAwait(false);
        var response = message.Response ?? throw new HttpRequestException("no response");
        if (response.Status is < 200 or >= 300)
        {
            return OpenAiAttempt.Refused(response, seat.Account, _options.Clock);
        }

        var replies = OpenAiReply.Read(response.Content.ToMemory(), prompts);
        return replies.Count == prompts
            ? new OpenAiAttempt { Replies = replies }
            : new OpenAiAttempt { Failure = new JudgeFailure(FailureReason.BadRequest, $"the server answered {replies.Count} of {prompts} prompts") };
    }

    /// <summary>The same request with eight tenths of its <c>max_tokens</c>; null where nothing is left to reduce.</summary>
    private static ReadOnlyMemory<byte>? Reduced(ReadOnlyMemory<byte> body)
    {
        var request = JsonNode.Parse(body.Span)!.AsObject();
        foreach (string key in new[] { "max_tokens", "max_completion_tokens" })
        {
            if (request[key] is JsonValue value && value.TryGetValue(out int tokens) && (int)(0.8 * tokens) is > 0 and int fewer)
            {
                request[key] = fewer;
                return JsonSerializer.SerializeToUtf8Bytes(request);
            }
        }

        return null;
    }
}
