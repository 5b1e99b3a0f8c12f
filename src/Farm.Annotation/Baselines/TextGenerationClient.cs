using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Annotation.Completions;
using Farm.Annotation.Parsing;
using Farm.Core;
using Polly;
using Polly.Retry;

namespace Farm.Annotation.Baselines;

/// <summary>
/// A server with Hugging Face's text generation interface: <c>{"inputs": text, "parameters": {...}}</c> in, <c>[{"generated_text": text}]</c> out. Tries
/// again on 429, 5xx (503 while a model loads), lost connections and time-outs, as long as Retry-After says where it does.
/// </summary>
public sealed class TextGenerationClient : ICompletionClient, IDisposable
{
    /// <summary>The variables that may hold the token.</summary>
    public static readonly IReadOnlyList<string> TokenVariables = ["HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN"];

    private readonly Uri _endpoint;
    private readonly HttpClient _http;
    private readonly ResiliencePipeline<Outcome> _resilience;

    /// <summary>Makes the client; nothing is sent yet.</summary>
    /// <param name="endpoint">The address that requests are posted to.</param>
    /// <param name="token">The token, null for a server that asks for none.</param>
    /// <param name="timeout">How long one attempt may take.</param>
    /// <param name="maxRetries">How often a request is tried again.</param>
    /// <param name="retryDelay">The wait before the first retry; it doubles.</param>
    public TextGenerationClient(Uri endpoint, string? token, TimeSpan timeout, int maxRetries = 10, TimeSpan? retryDelay = null)
    {
        _endpoint = endpoint;
        _http = new HttpClient { Timeout = timeout };
        if (!string.IsNullOrEmpty(token))
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        _resilience = new ResiliencePipelineBuilder<Outcome>().AddRetry(new RetryStrategyOptions<Outcome>
        {
            MaxRetryAttempts = Math.Max(1, maxRetries),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = retryDelay ?? TimeSpan.FromSeconds(1),
            MaxDelay = TimeSpan.FromSeconds(60),
            ShouldHandle = a => ValueTask.FromResult(maxRetries > 0 && a.Outcome.Result is { Retry: true }),
            DelayGenerator = a => ValueTask.FromResult(a.Outcome.Result?.RetryAfter),
        }).Build();
    }

    /// <summary>The token that the environment has, null for none.</summary>
    public static string? TokenFromEnvironment() => TokenVariables.Select(Environment.GetEnvironmentVariable).FirstOrDefault(t => !string.IsNullOrEmpty(t));

    /// <inheritdoc/>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        byte[] body = Body(request);
        int attempts = 0;
        var outcome = await _resilience.ExecuteAsync(
            async token =>
            {
                attempts++;
                return await TryAsync(body, token).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
        return outcome.Status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => throw new BadInputException(
                $"{_endpoint} refuses the token ({(int)outcome.Status}): set {string.Join(" or ", TokenVariables)} to one that may use it."),
            HttpStatusCode.NotFound => throw new BadInputException($"{_endpoint} has no model to ask (404): check the address."),
            _ => outcome.Text is { } text
                ? new CompletionReply { Text = text.Length > 0 ? text : " ", Attempts = attempts }
                : new CompletionReply { Attempts = attempts, Failure = outcome.Failure },
        };
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();

    /// <summary>The request in the other interface's words.</summary>
    private static byte[] Body(CompletionRequest request)
    {
        var asked = JsonNode.Parse(request.Body.Span)!.AsObject();
        string prompt = asked["prompt"]?.GetValue<string>()
            ?? throw new BadInputException("A text generation server takes text, not chats: name the chat format of its model.");
        var parameters = new JsonObject { ["return_full_text"] = false };
        foreach (var (from, to) in new[] { ("max_tokens", "max_new_tokens"), ("temperature", "temperature"), ("top_p", "top_p"), ("stop", "stop") })
        {
            if (asked[from] is { } value)
            {
                parameters[to] = value.DeepClone();
            }
        }

        // The interface refuses a temperature of 0 and a top_p of 1, by which OpenAI's means greedy and whole.
        if (parameters["temperature"]?.GetValue<double>() is 0)
        {
            parameters.Remove("temperature");
            parameters["do_sample"] = false;
        }
        else if (parameters.ContainsKey("temperature"))
        {
            parameters["do_sample"] = true;
        }

        if (parameters["top_p"]?.GetValue<double>() is >= 1)
        {
            parameters.Remove("top_p");
        }

        var options = new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        return Encoding.UTF8.GetBytes(new JsonObject { ["inputs"] = prompt, ["parameters"] = parameters }.ToJsonString(options));
    }

    private async Task<Outcome> TryAsync(byte[] body, CancellationToken cancellation)
    {
        try
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _http.PostAsync(_endpoint, content, cancellation).ConfigureAwait(false);
            string text = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                return Generated(text) is { } generated
                    ? new Outcome(response.StatusCode, generated, null, false, null)
                    : new Outcome(response.StatusCode, null, new JudgeFailure(FailureReason.ServerError, "the answer has no generated_text"), true, null);
            }

            bool retry = response.StatusCode == HttpStatusCode.TooManyRequests || (int)response.StatusCode >= 500;
            var reason = response.StatusCode == HttpStatusCode.TooManyRequests ? FailureReason.RateLimited : retry ? FailureReason.ServerError : FailureReason.BadRequest;
            string said = text.ReplaceLineEndings(" ").Trim();
            return new Outcome(response.StatusCode, null, new JudgeFailure(reason, $"{(int)response.StatusCode} {(said.Length > 200 ? said[..200] : said)}"), retry, Wait(response));
        }
        catch (HttpRequestException e)
        {
            return new Outcome(null, null, new JudgeFailure(FailureReason.Unreachable, e.Message), true, null);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new Outcome(null, null, new JudgeFailure(FailureReason.Timeout, $"no answer in {_http.Timeout.TotalSeconds} s"), true, null);
        }
    }

    private static TimeSpan? Wait(HttpResponseMessage response) =>
        response.Headers.RetryAfter is not { } after ? null
        : after.Delta ?? (after.Date is { } date && date > DateTimeOffset.UtcNow ? date - DateTimeOffset.UtcNow : null);

    private static string? Generated(string json)
    {
        try
        {
            var root = JsonElement.Parse(json);
            var item = root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0 ? root[0] : root;
            return item.ValueKind == JsonValueKind.Object && item.TryGetProperty("generated_text", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private sealed record Outcome(HttpStatusCode? Status, string? Text, JudgeFailure? Failure, bool Retry, TimeSpan? RetryAfter);
}
