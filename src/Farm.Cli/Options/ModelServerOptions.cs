using System.CommandLine;
using Farm.Annotation.Completions;
using Farm.Annotation.Replies;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>The flags of a verb that asks a model behind an OpenAI-compatible server.</summary>
internal sealed class ModelServerOptions
{
    private readonly Option<string> _model;
    private readonly Option<string?> _baseUrl = new("--base-url") { Description = "An OpenAI-compatible server (default: OPENAI_API_BASE, or OpenAI itself).", HelpName = "URL" };
    private readonly Option<string?> _clients = new("--client-config") { Description = "alpaca_eval's client configuration: several keys, organizations, servers, Azure (default: OPENAI_CLIENT_CONFIG_PATH).", HelpName = "YAML" };
    private readonly Option<string?> _journal = new("--journal") { Description = "Keeps requests and replies; a run started again takes the replies from there (default: OUTPUT.journal.db).", HelpName = "FILE" };
    private readonly Option<double?> _maxCost = new("--max-cost") { Description = "Stops before more than this is spent.", HelpName = "USD" };
    private readonly Option<double?> _price = new("--price-per-token") { Description = "What a token costs, of prompt and reply; known for some models.", HelpName = "USD" };
    private readonly Option<int> _concurrency;
    private readonly Option<double> _timeout = new("--timeout") { Description = "Seconds that one attempt may take.", HelpName = "S", DefaultValueFactory = _ => 120 };
    private readonly Option<int> _retries = new("--max-retries") { Description = "How often a request is tried again.", HelpName = "N", DefaultValueFactory = _ => 10 };
    private readonly Option<double?> _requests = new("--requests-per-minute") { Description = "Sends no more than this.", HelpName = "N" };
    private readonly Option<double?> _tokens = new("--tokens-per-minute") { Description = "Asks for no more than this.", HelpName = "N" };

    /// <summary>Makes the flags.</summary>
    /// <param name="flag">Name of the flag that names the model.</param>
    /// <param name="model">The model unless given; null where it must be.</param>
    /// <param name="concurrency">Requests in flight unless given.</param>
    public ModelServerOptions(string flag, string? model, int concurrency)
    {
        _model = new Option<string>(flag) { Description = "The model that is asked.", HelpName = "NAME", Required = model is null };
        if (model is not null)
        {
            _model.DefaultValueFactory = _ => model;
        }

        _concurrency = new Option<int>("--max-concurrency") { Description = "Requests in flight.", HelpName = "N", DefaultValueFactory = _ => concurrency };
    }

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _model, _baseUrl, _clients, _journal, _maxCost, _price, _concurrency, _timeout, _retries, _requests, _tokens })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The model's name.</summary>
    public string Model(ParseResult result) => result.GetRequiredValue(_model);

    /// <summary>Requests in flight.</summary>
    /// <exception cref="BadInputException">Fewer than one.</exception>
    public int MaxConcurrency(ParseResult result) => result.GetValue(_concurrency) is var n and >= 1 ? n : throw new BadInputException("--max-concurrency must be at least 1.");

    /// <summary>Opens the server's client behind its journal.</summary>
    /// <exception cref="BadInputException">There is no key, no price for a limit of cost, or the journal is in use.</exception>
    public ModelServer Open(ParseResult result, string output)
    {
        string model = Model(result);
        double? price = result.GetValue(_price) ?? TokenPrices.Of("openai_completions", model);
        if (result.GetValue(_maxCost) is not null && price is null)
        {
            throw new BadInputException($"The price of the model '{model}' is not known, so --max-cost cannot be kept: give --price-per-token.");
        }

        var client = new OpenAiCompletionClient(OpenAiOptions.FromEnvironment(result.GetValue(_baseUrl), result.GetValue(_clients)) with
        {
            MaxConcurrency = MaxConcurrency(result),
            Timeout = TimeSpan.FromSeconds(Math.Max(0.001, result.GetValue(_timeout))),
            MaxRetries = Math.Max(0, result.GetValue(_retries)),
            RequestsPerMinute = result.GetValue(_requests),
            TokensPerMinute = result.GetValue(_tokens),
        });
        try
        {
            return new ModelServer(client, ReplyJournal.Open(result.GetValue(_journal) ?? $"{output}.journal.db", client), model, price, new CostLedger(result.GetValue(_maxCost)));
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }
}

/// <summary>An open server.</summary>
internal sealed class ModelServer(OpenAiCompletionClient client, ReplyJournal journal, string model, double? price, CostLedger ledger) : IDisposable
{
    /// <summary>The model to ask.</summary>
    public Respondent Respondent { get; } = new(journal, model, price, ledger);

    /// <summary>What was spent.</summary>
    public CostLedger Ledger => ledger;

    /// <summary>The file that keeps the replies.</summary>
    public string JournalPath => journal.Path;

    /// <summary>Replies taken from the journal's earlier runs at most.</summary>
    public int Restored => journal.Restored;

    /// <summary>True where the price of tokens is known.</summary>
    public bool HasPrice => price is not null;

    /// <inheritdoc/>
    public void Dispose()
    {
        journal.Dispose();
        client.Dispose();
    }
}
