using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>A server and a key: one of the clients that requests are spread over.</summary>
/// <param name="Endpoint">The server's address up to and with <c>/v1</c>; for Azure the resource's address.</param>
/// <param name="ApiKey">The key. It is sent, and neither printed nor kept.</param>
public sealed record OpenAiAccount(Uri Endpoint, string ApiKey)
{
    /// <summary>The organization that pays, null for the key's own.</summary>
    public string? Organization { get; init; }

    /// <summary>The project that pays, null for the key's own.</summary>
    public string? Project { get; init; }

    /// <summary>Set where the server is Azure's.</summary>
    public AzureDeployment? Azure { get; init; }

    /// <summary>Headers that every request gets.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>What every request's address gets after its question mark.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Query { get; init; } = [];

    /// <summary>How long one attempt may take, null for the run's own limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Where the key stands, for messages.</summary>
    public string Source { get; init; } = OpenAiOptions.KeyVariable;

    /// <summary>The account without its key, which must not reach a log.</summary>
    public override string ToString() => $"{Endpoint} with the key in {Source}";

    /// <summary>The address that a model is asked at.</summary>
    internal Uri Address(string model, bool isChat)
    {
        string path = isChat ? "chat/completions" : "completions";
        string server = Endpoint.ToString().TrimEnd('/');
        var query = Azure is null ? Query : [KeyValuePair.Create("api-version", Azure.ApiVersion), .. Query];
        string address = Azure is null ? $"{server}/{path}" : $"{server}/openai/deployments/{Uri.EscapeDataString(Azure.Name ?? model)}/{path}";
        return new Uri(query.Count == 0 ? address : $"{address}?{string.Join('&', query.Select(q => $"{Uri.EscapeDataString(q.Key)}={Uri.EscapeDataString(q.Value)}"))}");
    }

    /// <summary>Refuses a key that cannot stand in a header, without saying it.</summary>
    internal OpenAiAccount Checked() => ApiKey.Length > 0 && ApiKey.All(c => c is > ' ' and <= '~')
        ? this
        : throw new BadInputException($"The key in {Source} is empty or has characters that no key has (a space, a line end, an accent?).");
}

/// <summary>How a model is found on Azure.</summary>
/// <param name="Name">The deployment's name, null where it is the model's.</param>
/// <param name="ApiVersion">The version of the interface, e.g. <c>2024-03-01-preview</c>.</param>
/// <param name="IsToken">True where the key is a token of Entra ID (<c>azure_ad_token</c>).</param>
public sealed record AzureDeployment(string? Name, string ApiVersion, bool IsToken = false);
