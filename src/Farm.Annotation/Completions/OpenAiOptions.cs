using Farm.Annotation.Configuration;
using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>Where OpenAI-compatible servers are and how they are asked.</summary>
public sealed record OpenAiOptions
{
    /// <summary>The variable that holds the key.</summary>
    public const string KeyVariable = "OPENAI_API_KEY";

    /// <summary>The variable that holds several keys with commas between.</summary>
    public const string KeysVariable = "OPENAI_API_KEYS";

    /// <summary>Where OpenAI's own server is.</summary>
    public static readonly Uri DefaultEndpoint = new("https://api.openai.com/v1");

    /// <summary>The server's address up to and with <c>/v1</c>.</summary>
    public Uri Endpoint { get; init; } = DefaultEndpoint;

    /// <summary>The keys; each request takes one of them.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>The organizations; each key is used with each.</summary>
    public IReadOnlyList<string> Organizations { get; init; } = [];

    /// <summary>The accounts of a model, in place of <see cref="Endpoint"/>, <see cref="ApiKeys"/> and <see cref="Organizations"/>; null where those say all.</summary>
    public Func<string, IReadOnlyList<OpenAiAccount>>? Accounts { get; init; }

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

    /// <summary>Prompts that go into one request of the completion endpoint, where as many are waiting. Chats go one by one.</summary>
    public int PromptsPerRequest { get; init; } = 10;

    /// <summary>How long a prompt of the completion endpoint waits for others to share its request.</summary>
    public TimeSpan Gathering { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>
    /// The options that the environment sets: <c>OPENAI_API_KEYS</c> or <c>OPENAI_API_KEY</c>, <c>OPENAI_ORGANIZATION_IDS</c> or <c>OPENAI_ORG</c>,
    /// <c>OPENAI_API_BASE</c> or <c>OPENAI_BASE_URL</c>, <c>OPENAI_CLIENT_CONFIG_PATH</c>.
    /// </summary>
    /// <param name="baseUrl">The address, over the environment's and a configuration's.</param>
    /// <param name="clientConfig">A client configuration's file, over the environment's.</param>
    /// <param name="judge">A judge whose own <c>client_kwargs</c> and <c>client_config_path</c> count; null for none.</param>
    /// <exception cref="BadInputException">There is no key, the address is none, or the configuration is wrong.</exception>
    public static OpenAiOptions FromEnvironment(string? baseUrl = null, string? clientConfig = null, JudgeConfig? judge = null)
    {
        if (baseUrl is not null && clientConfig is not null)
        {
            throw new BadInputException("--base-url and --client-config exclude each other: each says which servers to ask.");
        }

        var arguments = new KeyReader($"annotator '{judge?.Name}', completions_kwargs", judge?.CompletionsKwargs ?? []);
        var added = new OrderedDictionary<object, object?>(arguments.Map("client_kwargs"));
        if (baseUrl is not null)
        {
            // Who says which server to ask means it over all that a configuration says.
            foreach (string name in new[] { "base_url", "client_class", "azure_endpoint", "azure_deployment", "api_version", "azure_ad_token" })
            {
                added.Remove(name);
            }
        }

        string? file = clientConfig ?? (baseUrl is not null ? null : arguments.OptionalText("client_config_path") ?? Variable(OpenAiClientConfig.PathVariable));
        if (file is not null)
        {
            var config = OpenAiClientConfig.Read(file);
            return new OpenAiOptions { Accounts = model => config.Accounts(model, added) };
        }

        string place = $"annotator '{judge?.Name}', key 'client_kwargs'";
        bool hasKey = added.GetValueOrDefault("api_key") is not null || added.GetValueOrDefault("client_class") is "openai.AzureOpenAI" or "AzureOpenAI";
        string[] keys = List(KeysVariable) is { Length: > 0 } several ? several : List(KeyVariable);
        if (keys.Length == 0 && !hasKey)
        {
            throw new BadInputException($"{KeyVariable} is not set: export it with the key of the judge's server (any text for a server that asks for none).");
        }

        var endpoint = Address(baseUrl ?? BaseUrlFromEnvironment() ?? DefaultEndpoint.ToString());
        string[] organizations = List("OPENAI_ORGANIZATION_IDS") is { Length: > 0 } ids ? ids : List("OPENAI_ORG");
        var plain = new OpenAiOptions { ApiKeys = keys, Organizations = organizations, Endpoint = endpoint };
        if (added.Count == 0)
        {
            plain.AccountsOf(string.Empty);
            return plain;
        }

        IReadOnlyList<OpenAiAccount> accounts = hasKey
            ? [OpenAiClientArguments.Account(place, [], added, new OpenAiAccount(endpoint, string.Empty))]
            : [.. plain.AccountsOf(string.Empty).Select(a => OpenAiClientArguments.Account(place, [], added, a))];
        return new OpenAiOptions { Accounts = _ => accounts };
    }

    /// <summary>The address that the environment names, null for none.</summary>
    public static string? BaseUrlFromEnvironment() => Variable("OPENAI_API_BASE") ?? Variable("OPENAI_BASE_URL");

    /// <summary>Reads an address.</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static Uri Address(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri!
            : throw new BadInputException($"'{text}' is no http or https address of a server, e.g. http://127.0.0.1:8000/v1.");

    /// <summary>The record without its keys, which must not reach a log.</summary>
    public override string ToString() => Accounts is null ? $"{Endpoint} with {ApiKeys.Count} key(s)" : "clients by configuration";

    /// <summary>The accounts that a model's requests are spread over.</summary>
    /// <exception cref="BadInputException">There are none, or a key cannot be sent.</exception>
    internal IReadOnlyList<OpenAiAccount> AccountsOf(string model)
    {
        if (Accounts is not null)
        {
            return Accounts(model);
        }

        string?[] organizations = Organizations.Count > 0 ? [.. Organizations] : [null];
        return
        [
            .. from key in ApiKeys.Index()
               from organization in organizations
               select new OpenAiAccount(Endpoint, key.Item) { Organization = organization, Source = ApiKeys.Count == 1 ? KeyVariable : $"{KeysVariable} (key {key.Index + 1})" }.Checked(),
        ];
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { } text && !string.IsNullOrWhiteSpace(text) ? text.Trim() : null;

    private static string[] List(string variable) =>
        (Environment.GetEnvironmentVariable(variable) ?? string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
