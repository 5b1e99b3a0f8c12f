using System.ClientModel.Primitives;
using System.Globalization;
using System.Text.Json;
using Farm.Annotation.Parsing;
using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>How one attempt at a server ended.</summary>
internal sealed record OpenAiAttempt
{
    private const string AnotherPromptHint = "Please try again with a different prompt.";

    /// <summary>A reply for each prompt; none where there is a failure.</summary>
    public IReadOnlyList<CompletionReply>? Replies { get; init; }

    public JudgeFailure? Failure { get; init; }

    public int Status { get; init; }

    public string Code { get; init; } = string.Empty;

    public string Message { get; init; } = string.Empty;

    /// <summary>True where the same request may succeed later.</summary>
    public bool IsTransient { get; init; }

    /// <summary>When to ask again; null where the doubling decides.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Who was asked.</summary>
    public OpenAiAccount? Account { get; init; }

    /// <summary>True where the account can pay for nothing more.</summary>
    public bool HasNoQuota => Status == 429 && Code == "insufficient_quota";

    /// <summary>A failure that may pass.</summary>
    public static OpenAiAttempt Passing(FailureReason reason, string detail) => new() { IsTransient = true, Failure = new JudgeFailure(reason, detail) };

    /// <summary>What a server that refuses says.</summary>
    public static OpenAiAttempt Refused(PipelineResponse response, OpenAiAccount account, TimeProvider clock)
    {
        var (message, code) = Error(response.Content.ToMemory());
        // Some servers quote the key that they refuse.
        message = message.Replace(account.ApiKey, "***", StringComparison.Ordinal);
        var reason = response.Status switch
        {
            429 => FailureReason.RateLimited,
            408 => FailureReason.Timeout,
            >= 500 => FailureReason.ServerError,
            _ => message.Contains(AnotherPromptHint, StringComparison.Ordinal) || code == "content_filter" ? FailureReason.Refused : FailureReason.BadRequest,
        };
        var attempt = new OpenAiAttempt
        {
            Status = response.Status,
            Code = code,
            Message = message,
            RetryAfter = Wait(response, clock),
            Account = account,
            Failure = new JudgeFailure(reason, $"the server said {response.Status}{(message.Length > 0 ? $": {message}" : string.Empty)}"),
        };
        return attempt with { IsTransient = response.Status is 408 or 409 or 429 or >= 500 && !attempt.HasNoQuota };
    }

    /// <summary>Stops the run where no other request can succeed either.</summary>
    /// <exception cref="BadInputException">The key is refused, the model is unknown, nothing can be paid.</exception>
    public void StopIfHopeless(string model)
    {
        string server = Account?.Endpoint.Authority ?? string.Empty, source = Account?.Source ?? string.Empty;
        switch (Status)
        {
            case 401:
                throw new BadInputException($"{server} refused the key in {source} (401).");
            case 403:
                throw new BadInputException($"{server} does not let the key in {source} use the model '{model}' (403).");
            case 404:
                throw new BadInputException($"{server} does not know the model '{model}' or has no such endpoint (404).");
            case 400 or 422 when Code is "model_not_found" or "invalid_model":
                throw new BadInputException($"{server} does not know the model '{model}' ({Status}).");
            case 429 when HasNoQuota:
                throw new BadInputException($"{server} says that the account of {source} has no quota left (429).");
        }
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

    private static TimeSpan? Wait(PipelineResponse response, TimeProvider clock)
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

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out var when) && when - clock.GetUtcNow() is var wait && wait > TimeSpan.Zero ? wait : null;
    }
}
