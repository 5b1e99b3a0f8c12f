using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>Where an OpenAI-compatible server is and how it is asked.</summary>
public sealed record OpenAiOptions
{
    /// <summary>The variable that holds the key, or several with commas between.</summary>
    public const string KeyVariable = "OPENAI_API_KEY";

    /// <summary>Where OpenAI's own server is.</summary>
    public static readonly Uri DefaultEndpoint = new("https://api.openai.com/v1");

    /// <summary>The server's address up to and with <c>/v1</c>.</summary>
    public Uri Endpoint { get; init; } = DefaultEndpoint;

    /// <summary>The keys; each request takes one of them.</summary>
    public required IReadOnlyList<string> ApiKeys { get; init; }

    /// <summary>The organizations; each key is used with each.</summary>
    public IReadOnlyList<string> Organizations { get; init; } = [];

    /// <summary>How long one attempt may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How often a request is tried again after 429, 5xx, a lost connection, a timeout or an unreadable body.</summary>
    public int MaxRetries { get; init; } = 10;

    /// <summary>The wait before the first retry; it doubles, with jitter, unless the server says Retry-After.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait between retries, however the server or the doubling would have it.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Requests a minute, retries counted; null for no limit.</summary>
    public double? RequestsPerMinute { get; init; }

    /// <summary>Tokens a minute; null for no limit.</summary>
    public double? TokensPerMinute { get; init; }

    /// <summary>Requests in flight, for the number of connections.</summary>
    public int MaxConcurrency { get; init; } = 16;

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The options that the environment sets: <c>OPENAI_API_KEYS</c> or <c>OPENAI_API_KEY</c>, <c>OPENAI_ORGANIZATION_IDS</c>, <c>OPENAI_API_BASE</c> or <c>OPENAI_BASE_URL</c>.</summary>
    /// <param name="baseUrl">The address, over the environment's.</param>
    /// <exception cref="BadInputException">There is no key, or the address is none.</exception>
    public static OpenAiOptions FromEnvironment(string? baseUrl = null)
    {
        string[] keys = List("OPENAI_API_KEYS") is { Length: > 0 } several ? several : List(KeyVariable);
        if (keys.Length == 0)
        {
            throw new BadInputException($"{KeyVariable} is not set: export it with the key of the judge's server (any text for a server that asks for none).");
        }

        string address = baseUrl ?? Environment.GetEnvironmentVariable("OPENAI_API_BASE") ?? Environment.GetEnvironmentVariable("OPENAI_BASE_URL") ?? DefaultEndpoint.ToString();
        return new OpenAiOptions { ApiKeys = keys, Organizations = List("OPENAI_ORGANIZATION_IDS"), Endpoint = Address(address) };
    }

    /// <summary>Reads an address.</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static Uri Address(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri!
            : throw new BadInputException($"'{text}' is no http or https address of a server, e.g. http://127.0.0.1:8000/v1.");

    /// <summary>The record without its keys, which must not reach a log.</summary>
    public override string ToString() => $"{Endpoint} with {ApiKeys.Count} key(s)";

    private static string[] List(string variable) =>
        (Environment.GetEnvironmentVariable(variable) ?? string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
