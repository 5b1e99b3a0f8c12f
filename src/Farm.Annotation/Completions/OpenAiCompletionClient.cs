using System.ClientModel;
using System.ClientModel.Primitives;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Annotation.Parsing;
using Farm.Core;
using OpenAI;
using Polly;
using Polly.Retry;

namespace Farm.Annotation.Completions;

/// <summary>
/// An OpenAI-compatible server, through the OpenAI package's pipeline: retries with back-off that honours Retry-After, a limit for each attempt's
/// time, and limits on requests and tokens a minute.
/// </summary>
public sealed class OpenAiCompletionClient : ICompletionClient, IDisposable
{
    private const string ReduceHint = "Please reduce", AnotherPromptHint = "Please try again with a different prompt.";
    private readonly OpenAiOptions _options;
    private readonly HttpClient _http;
    private readonly ClientPipeline[] _pipelines;
    private readonly ResiliencePipeline<Attempt> _resilience;
    private readonly RateGate? _requests;
    private readonly RateGate? _tokens;
    private int _turn;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    public OpenAiCompletionClient(OpenAiOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Math.Max(options.MaxConcurrency, 1), PooledConnectionLifetime = TimeSpan.FromMinutes(10) })
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
        var transport = new HttpClientPipelineTransport(_http);
        string?[] organizations = options.Organizations.Count > 0 ? [.. options.Organizations] : [null];
        _pipelines = [.. from key in options.ApiKeys from organization in organizations select Pipeline(key, organization, transport)];
        _resilience = Resilience(options);
        _requests = options.RequestsPerMinute is { } requests ? new RateGate(requests, options.Clock) : null;
        _tokens = options.TokensPerMinute is { } tokens ? new RateGate(tokens, options.Clock) : null;
    }

    /// <inheritdoc/>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var body = request.Body;
        int attempts = 0;
        while (true)
        {
            var sent = body;
            var attempt = await _resilience.ExecuteAsync(
                async token =>
                {
                    attempts++;
                    return await TryAsync(request, sent, token).ConfigureAwait(false);
                },
                cancellationToken).ConfigureAwait(false);
            if (attempt.Reply is { } reply)
            {
                return reply with { Attempts = attempts };
            }

            if (attempt.Message.Contains(ReduceHint, StringComparison.Ordinal) && Reduced(body) is { } smaller)
            {
                body = smaller;
                continue;
            }

            StopIfHopeless(request, attempt);
            return new CompletionReply { Attempts = attempts, Failure = attempt.Failure };
        }
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    private ClientPipeline Pipeline(string key, string? organization, HttpClientPipelineTransport transport) => new OpenAIClient(
        new ApiKeyCredential(key),
        new OpenAIClientOptions
        {
            Endpoint = _options.Endpoint,
            OrganizationId = organization,
            Transport = transport,
            // Retries and time limits are made once, here and not there.
            RetryPolicy = new ClientRetryPolicy(0),
            NetworkTimeout = System.Threading.Timeout.InfiniteTimeSpan,
        }).Pipeline;

    private static ResiliencePipeline<Attempt> Resilience(OpenAiOptions options)
    {
        var builder = new ResiliencePipelineBuilder<Attempt> { TimeProvider = options.Clock };
        if (options.MaxRetries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<Attempt>
            {
                ShouldHandle = new PredicateBuilder<Attempt>().HandleResult(a => a.IsTransient),
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

    private async Task<Attempt> TryAsync(CompletionRequest request, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        if (_requests is not null)
        {
            await _requests.WaitAsync(1, cancellationToken).ConfigureAwait(false);
        }

        if (_tokens is not null)
        {
            await _tokens.WaitAsync(request.EstimatedTokens, cancellationToken).ConfigureAwait(false);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.Timeout);
        try
        {
            var attempt = await SendAsync(request, body, limit.Token).ConfigureAwait(false);
            if (attempt.Reply?.TotalTokens is { } used)
            {
                _tokens?.Correct(request.EstimatedTokens, used);
            }

            return attempt;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Attempt.Transient(FailureReason.Timeout, $"no answer within {_options.Timeout.TotalSeconds:0.###} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or ClientResultException)
        {
            return Attempt.Transient(FailureReason.Unreachable, $"{_options.Endpoint.Authority}: {e.Message.ReplaceLineEndings(" ")}");
        }
        catch (JsonException e)
        {
            return Attempt.Transient(FailureReason.ServerError, $"the answer cannot be read: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private async Task<Attempt> SendAsync(CompletionRequest request, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var pipeline = _pipelines[(int)((uint)Interlocked.Increment(ref _turn) % _pipelines.Length)];
        using var message = pipeline.CreateMessage();
        message.BufferResponse = true;
        message.Request.Method = "POST";
        message.Request.Uri = new Uri($"{_options.Endpoint.ToString().TrimEnd('/')}/{(request.IsChat ? "chat/completions" : "completions")}");
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Headers.Set("Accept", "application/json");
        message.Request.Content = BinaryContent.Create(BinaryData.FromBytes(body));
        message.Apply(new RequestOptions { CancellationToken = cancellationToken });
        await pipeline.SendAsync(message).ConfigureAwait(false);
        var response = message.Response ?? throw new HttpRequestException("no response");
        return response.Status is >= 200 and < 300
            ? new Attempt { Reply = OpenAiReply.Read(response.Content.ToMemory()) }
            : Failed(response);
    }

    private Attempt Failed(PipelineResponse response)
    {
        var (message, code) = Error(response.Content.ToMemory());
        bool noQuota = code == "insufficient_quota";
        var reason = response.Status switch
        {
            429 => FailureReason.RateLimited,
            408 => FailureReason.Timeout,
            >= 500 => FailureReason.ServerError,
            _ => message.Contains(AnotherPromptHint, StringComparison.Ordinal) || code == "content_filter" ? FailureReason.Refused : FailureReason.BadRequest,
        };
        return new Attempt
        {
            Status = response.Status,
            Code = code,
            Message = message,
            IsTransient = response.Status is 408 or 409 or 429 or >= 500 && !noQuota,
            RetryAfter = RetryAfter(response),
            Failure = new JudgeFailure(reason, $"the server said {response.Status}{(message.Length > 0 ? $": {message}" : string.Empty)}"),
        };
    }

    private void StopIfHopeless(CompletionRequest request, Attempt attempt)
    {
        string server = _options.Endpoint.Authority;
        switch (attempt.Status)
        {
            case 401:
                throw new BadInputException($"{server} refused the key in {OpenAiOptions.KeyVariable} (401).");
            case 403:
                throw new BadInputException($"{server} does not let the key in {OpenAiOptions.KeyVariable} use the model '{request.Model}' (403).");
            case 404:
                throw new BadInputException($"{server} does not know the model '{request.Model}' or has no such endpoint (404).");
            case 400 or 422 when attempt.Code is "model_not_found" or "invalid_model":
                throw new BadInputException($"{server} does not know the model '{request.Model}' ({attempt.Status}).");
            case 429 when attempt.Code == "insufficient_quota":
                throw new BadInputException($"{server} says that the account of {OpenAiOptions.KeyVariable} has no quota left (429).");
        }
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

    private static (string Message, string Code) Error(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("error", out var error))
            {
                return error.ValueKind == JsonValueKind.Object ? (Field(error, "message"), Field(error, "code")) : (error.ToString(), string.Empty);
            }
        }
        catch (JsonException)
        {
            // A proxy's page, or nothing: the status says enough.
        }

        return (string.Empty, string.Empty);

        static string Field(JsonElement error, string name) => error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : string.Empty;
    }

    private TimeSpan? RetryAfter(PipelineResponse response)
    {
        if (response.Headers.TryGetValue("retry-after-ms", out string? text) && double.TryParse(text, CultureInfo.InvariantCulture, out double milliseconds) && milliseconds >= 0)
        {
            return TimeSpan.FromMilliseconds(Math.Min(milliseconds, 1e9));
        }

        if (!response.Headers.TryGetValue("retry-after", out text))
        {
            return null;
        }

        if (double.TryParse(text, CultureInfo.InvariantCulture, out double seconds))
        {
            return seconds >= 0 ? TimeSpan.FromSeconds(Math.Min(seconds, 1e6)) : null;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out var when) && when - _options.Clock.GetUtcNow() is var wait && wait > TimeSpan.Zero ? wait : null;
    }

    /// <summary>How one attempt ended.</summary>
    private sealed record Attempt
    {
        public CompletionReply? Reply { get; init; }

        public JudgeFailure? Failure { get; init; }

        public int Status { get; init; }

        public string Code { get; init; } = string.Empty;

        public string Message { get; init; } = string.Empty;

        public bool IsTransient { get; init; }

        public TimeSpan? RetryAfter { get; init; }

        public static Attempt Transient(FailureReason reason, string detail) => new() { IsTransient = true, Failure = new JudgeFailure(reason, detail) };
    }
}
