using System.Globalization;
using Farm.Annotation.Configuration;
using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>A client by the arguments that the classes of OpenAI's Python package take.</summary>
internal static class OpenAiClientArguments
{
    // max_retries is known and without effect: retries are made once, by the run's own rule.
    private static readonly string[] s_known =
        ["client_class", "api_key", "organization", "project", "base_url", "azure_endpoint", "azure_deployment", "api_version", "azure_ad_token", "default_headers", "default_query", "timeout", "max_retries"];

    private static readonly string[] s_azure = ["azure_endpoint", "azure_deployment", "api_version", "azure_ad_token"];

    /// <summary>The account of a client.</summary>
    /// <param name="source">Where it is described, for messages.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="added">Arguments over those.</param>
    /// <param name="otherwise">Key and address where the arguments have none; by the environment unless given.</param>
    public static OpenAiAccount Account(string source, OrderedDictionary<object, object?> arguments, OrderedDictionary<object, object?> added, OpenAiAccount? otherwise = null)
    {
        var merged = new OrderedDictionary<object, object?>(arguments);
        foreach (var (name, value) in added)
        {
            merged[name] = value;
        }

        var keys = new KeyReader(source, merged);
        keys.Only(s_known);
        var account = keys.OptionalText("client_class") switch
        {
            null or "openai.OpenAI" or "OpenAI" => Plain(source, keys, otherwise),
            "openai.AzureOpenAI" or "AzureOpenAI" => Azure(source, keys),
            _ => throw keys.Wrong("client_class", "there are openai.OpenAI and openai.AzureOpenAI"),
        };
        return (account with
        {
            Organization = keys.OptionalText("organization") ?? otherwise?.Organization,
            Project = keys.OptionalText("project"),
            Headers = Texts(keys, "default_headers"),
            Query = Texts(keys, "default_query"),
            Timeout = keys.Number("timeout") switch
            {
                null => null,
                > 0 and < 1e9 and var seconds => TimeSpan.FromSeconds(seconds),
                _ => throw keys.Wrong("timeout", "must be a positive number of seconds"),
            },
        }).Checked();
    }

    private static OpenAiAccount Plain(string source, KeyReader keys, OpenAiAccount? otherwise)
    {
        foreach (string name in s_azure.Where(keys.Has))
        {
            throw keys.Wrong(name, "belongs to client_class openai.AzureOpenAI");
        }

        string? key = keys.OptionalText("api_key");
        var address = keys.OptionalText("base_url") is { } url ? Server(keys, "base_url", url) : otherwise?.Endpoint ?? OpenAiOptions.Address(OpenAiOptions.BaseUrlFromEnvironment() ?? OpenAiOptions.DefaultEndpoint.ToString());
        return new OpenAiAccount(address, key ?? otherwise?.ApiKey ?? Environment.GetEnvironmentVariable(OpenAiOptions.KeyVariable)?.Trim() ?? throw Missing(source, "api_key", OpenAiOptions.KeyVariable))
        {
            Source = key is not null ? source : otherwise?.Source ?? OpenAiOptions.KeyVariable,
        };
    }

    private static OpenAiAccount Azure(string source, KeyReader keys)
    {
        string address = Either("azure_endpoint", "AZURE_OPENAI_ENDPOINT");
        string version = Either("api_version", "OPENAI_API_VERSION");
        string? key = keys.OptionalText("api_key"), token = keys.OptionalText("azure_ad_token");
        bool inFile = key is not null || token is not null;
        token ??= inFile ? null : Environment.GetEnvironmentVariable("AZURE_OPENAI_AD_TOKEN");
        key ??= token ?? Environment.GetEnvironmentVariable("AZURE_OPENAI_API_KEY")?.Trim() ?? throw Missing(source, "api_key", "AZURE_OPENAI_API_KEY");
        if (keys.Has("base_url"))
        {
            throw keys.Wrong("base_url", "belongs to client_class openai.OpenAI; Azure's address is azure_endpoint");
        }

        return new OpenAiAccount(Server(keys, "azure_endpoint", address), key)
        {
            Azure = new AzureDeployment(keys.OptionalText("azure_deployment"), version, IsToken: key == token),
            Source = inFile ? source : token is null ? "AZURE_OPENAI_API_KEY" : "AZURE_OPENAI_AD_TOKEN",
        };

        string Either(string name, string variable) => keys.OptionalText(name) ?? Environment.GetEnvironmentVariable(variable) ?? throw Missing(source, name, variable);
    }

    private static Uri Server(KeyReader keys, string name, string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri! : throw keys.Wrong(name, "must be an http or https address");

    private static BadInputException Missing(string source, string key, string variable) => new($"{source}: the key '{key}' is missing, and {variable} is not set.");

    private static IReadOnlyList<KeyValuePair<string, string>> Texts(KeyReader keys, string name) =>
        [.. keys.Map(name).Select(h => KeyValuePair.Create(JudgeConfigReader.Text(h.Key), Convert.ToString(h.Value, CultureInfo.InvariantCulture) ?? string.Empty))];
}
