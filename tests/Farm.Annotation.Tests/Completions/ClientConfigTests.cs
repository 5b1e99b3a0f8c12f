using System.Text;
using Farm.Annotation.Completions;
using Farm.Annotation.Parsing;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Completions;

/// <summary>alpaca_eval's client configurations: several keys, organizations, servers, Azure.</summary>
public sealed class ClientConfigTests : IDisposable
{
    private const string Example = """
        # several clients are used in turn
        default:
          - api_key: "sk-one"
            organization: "org-one"
          - api_key: "sk-two"
        gpt-4-1106-preview:
          - "default"
          - client_class: "openai.AzureOpenAI"
            azure_deployment: "my-gpt4"
            api_key: "azure-key"
            azure_endpoint: "https://example.openai.azure.com/"
            api_version: "2024-03-01-preview"
        alone:
          - {api_key: "sk-three", base_url: "http://127.0.0.1:8000/v1", project: p1, default_headers: {x-team: 7}, default_query: {v: "a b"}, timeout: 2.5, max_retries: 3}
        """;

    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private OpenAiClientConfig Read(string yaml = Example) => OpenAiClientConfig.Read(_folder.Write("clients.yaml", yaml));

    private static OpenAiOptions Quick(Func<string, IReadOnlyList<OpenAiAccount>> accounts) => new()
    {
        Accounts = accounts,
        RetryDelay = TimeSpan.FromMilliseconds(1),
        MaxRetryDelay = TimeSpan.FromMilliseconds(20),
        MaxRetries = 6,
        Timeout = TimeSpan.FromSeconds(30),
    };

    private static CompletionRequest Request(string model = "m") => new(model, true, Encoding.UTF8.GetBytes($$"""{"model":"{{model}}"}"""), 10);

    [Fact]
    public void Should_take_a_models_own_clients_after_the_default_ones_or_those_alone()
    {
        var config = Read();
        Assert.Equal(["sk-one", "sk-two"], config.Accounts("gpt-4", []).Select(a => a.ApiKey));
        Assert.Equal("org-one", config.Accounts("gpt-4", [])[0].Organization);
        var azure = config.Accounts("gpt-4-1106-preview", []);
        Assert.Equal(["sk-one", "sk-two", "azure-key"], azure.Select(a => a.ApiKey));
        Assert.Equal("https://example.openai.azure.com/openai/deployments/my-gpt4/chat/completions?api-version=2024-03-01-preview", azure[2].Address("gpt-4-1106-preview", true).AbsoluteUri);
        var alone = Assert.Single(config.Accounts("alone", []));
        Assert.Equal(("http://127.0.0.1:8000/v1/completions?v=a%20b", "p1", 2.5), (alone.Address("alone", false).AbsoluteUri, alone.Project, alone.Timeout!.Value.TotalSeconds));
        Assert.Equal([KeyValuePair.Create("x-team", "7")], alone.Headers);
    }

    [Fact]
    public void Should_never_show_a_key()
    {
        foreach (var account in Read().Accounts("gpt-4-1106-preview", []))
        {
            Assert.DoesNotContain(account.ApiKey, account.ToString(), StringComparison.Ordinal);
            Assert.Contains("clients.yaml (client ", account.ToString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("default: []", "'default' has no clients")]
    [InlineData("default: {api_key: sk-x}", "'default' must be a list of clients")]
    [InlineData("gpt-4: [default]", "has no clients 'default'")]
    [InlineData("default: [sk-x]", "(client 1 of 'default'): must be a map")]
    [InlineData("default: [{api_kye: sk-x}]", "unknown key 'api_kye'")]
    [InlineData("default: [{api_key: sk-x, client_class: openai.Other}]", "key 'client_class': there are openai.OpenAI and openai.AzureOpenAI")]
    [InlineData("default: [{api_key: sk-x, azure_endpoint: 'https://x'}]", "key 'azure_endpoint': belongs to client_class openai.AzureOpenAI")]
    [InlineData("default: [{api_key: sk-x, client_class: openai.AzureOpenAI, api_version: '1', azure_endpoint: nowhere}]", "key 'azure_endpoint': must be an http or https address")]
    [InlineData("default: [{api_key: \"sk x\"}]", "has characters that no key has")]
    [InlineData("default: [{api_key: sk-x, timeout: -1}]", "must be a positive number of seconds")]
    [InlineData("- 1", "must hold a map from models")]
    [InlineData("default: [", "is not YAML")]
    public void Should_say_what_is_wrong_without_saying_the_key(string yaml, string sentence)
    {
        string message = Assert.Throws<BadInputException>(() => Read(yaml).Accounts("any", [])).Message;
        Assert.Contains(sentence, message, StringComparison.Ordinal);
        Assert.Contains("clients.yaml", message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-x", message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk x", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_go_to_another_key_when_one_is_limited()
    {
        using var limited = new FakeJudgeServer(_ => FakeAnswer.Error(429, "slow down") with { Headers = "Retry-After: 3600\r\n" });
        using var open = new FakeJudgeServer(_ => FakeAnswer.Chat("ok"));
        using var client = new OpenAiCompletionClient(Quick(_ => [new OpenAiAccount(new Uri(limited.BaseUrl), "sk-one"), new OpenAiAccount(new Uri(open.BaseUrl), "sk-two")]) with { MaxRetryDelay = TimeSpan.FromHours(2) });
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal("ok", (await client.CompleteAsync(Request(), CancellationToken.None)).Text);
        }

        // The limited one is asked once and then left alone, whatever the turn.
        Assert.Equal((1, 20), (limited.Requests, open.Requests));
        Assert.Contains("Bearer sk-two", open.Heads.First(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_spread_requests_over_keys_and_organizations()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Chat("ok"));
        using var client = new OpenAiCompletionClient(new OpenAiOptions { Endpoint = new Uri(server.BaseUrl), ApiKeys = ["sk-a", "sk-b"], Organizations = ["org-1", "org-2"] });
        for (int i = 0; i < 8; i++)
        {
            await client.CompleteAsync(Request(), CancellationToken.None);
        }

        var pairs = server.Heads.Select(h => (h.Contains("Bearer sk-a", StringComparison.Ordinal), h.Contains("OpenAI-Organization: org-1", StringComparison.OrdinalIgnoreCase))).CountBy(p => p);
        Assert.Equal([2, 2, 2, 2], pairs.Select(p => p.Value));
    }

    [Fact]
    public async Task Should_leave_out_an_account_without_quota_and_stop_when_none_is_left()
    {
        using var empty = new FakeJudgeServer(_ => FakeAnswer.Error(429, "no more", "insufficient_quota"));
        using var open = new FakeJudgeServer(_ => FakeAnswer.Chat("ok"));
        using (var client = new OpenAiCompletionClient(Quick(_ => [new OpenAiAccount(new Uri(empty.BaseUrl), "sk-one"), new OpenAiAccount(new Uri(open.BaseUrl), "sk-two")])))
        {
            for (int i = 0; i < 5; i++)
            {
                Assert.Equal("ok", (await client.CompleteAsync(Request(), CancellationToken.None)).Text);
            }
        }

        Assert.Equal(1, empty.Requests);
        using var poor = new OpenAiCompletionClient(Quick(_ => [new OpenAiAccount(new Uri(empty.BaseUrl), "sk-one") { Source = "here" }, new OpenAiAccount(new Uri(empty.BaseUrl), "sk-two") { Source = "there" }]));
        Assert.Contains("has no quota left (429)", (await Assert.ThrowsAsync<BadInputException>(() => poor.CompleteAsync(Request(), CancellationToken.None))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_say_which_of_several_keys_is_refused()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Error(401, "Incorrect API key provided: sk-one"));
        string yaml = $"default:\n- {{api_key: sk-one, base_url: '{server.BaseUrl}'}}\n";
        var config = Read(yaml);
        using var client = new OpenAiCompletionClient(Quick(m => config.Accounts(m, [])));
        string message = (await Assert.ThrowsAsync<BadInputException>(() => client.CompleteAsync(Request(), CancellationToken.None))).Message;
        Assert.EndsWith("clients.yaml (client 1 of 'default') (401).", message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-one", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_not_repeat_a_key_that_the_server_says()
    {
        using var server = new FakeJudgeServer(_ => FakeAnswer.Error(400, "your key sk-secret is odd"));
        using var client = new OpenAiCompletionClient(Quick(_ => [new OpenAiAccount(new Uri(server.BaseUrl), "sk-secret")]));
        var failure = (await client.CompleteAsync(Request(), CancellationToken.None)).Failure!;
        Assert.Equal((FailureReason.BadRequest, "the server said 400: your key *** is odd"), (failure.Reason, failure.Detail));
    }

    [Fact]
    public async Task Should_speak_to_Azure_as_Azure_wants_it()
    {
        string path = "";
        using var server = new FakeJudgeServer((p, _) =>
        {
            path = p;
            return FakeAnswer.Chat("ok");
        });
        string yaml = $"default:\n- {{client_class: openai.AzureOpenAI, api_key: azure-key, azure_endpoint: '{server.BaseUrl[..^3]}', api_version: 2024-02-01}}\n";
        var config = Read(yaml);
        using var client = new OpenAiCompletionClient(Quick(m => config.Accounts(m, [])));
        Assert.Equal("ok", (await client.CompleteAsync(Request("gpt-4"), CancellationToken.None)).Text);
        Assert.Equal("/openai/deployments/gpt-4/chat/completions?api-version=2024-02-01", path);
        string head = server.Heads.Single();
        Assert.Contains("api-key: azure-key", head, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Authorization", head, StringComparison.OrdinalIgnoreCase);
    }
}
