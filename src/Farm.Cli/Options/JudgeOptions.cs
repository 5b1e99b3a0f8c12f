using System.CommandLine;
using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Journaling;
using Farm.Cli.Annotation;
using Farm.Cli.Engine;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>The flags of everything that asks a judge.</summary>
internal sealed class JudgeOptions
{
    private readonly Option<string> _judge = new("--judge", "--annotators-config")
    {
        Description = "An alpaca_eval evaluator's folder or YAML file, a judge that comes with Farm, pocket, pocket:gold, or longest.",
        HelpName = "CONFIG|DIR",
        Required = true,
    };

    private readonly Option<string?> _baseUrl = new("--base-url") { Description = "An OpenAI-compatible server (default: OPENAI_API_BASE, or OpenAI itself).", HelpName = "URL" };
    private readonly Option<string?> _clients = new("--client-config") { Description = "alpaca_eval's client configuration: several keys, organizations, servers, Azure (default: OPENAI_CLIENT_CONFIG_PATH).", HelpName = "YAML" };
    private readonly Option<string?> _model = new("--model") { Description = "The model to ask, over the configuration's.", HelpName = "NAME" };
    private readonly Option<string?> _judgeModel = new("--judge-model") { Description = "A model folder, or pocket for the policy that comes with Farm: Farm's own engine answers instead of a server.", HelpName = "DIR" };
    private readonly EngineOptions _engine = new();
    private readonly Option<string?> _journal = new("--journal") { Description = "Keeps requests and replies (default: OUTPUT.journal.db).", HelpName = "FILE" };
    private readonly Option<int> _seed = new("--seed") { Description = "Seed of the choice of annotators, the order of outputs and label noise.", HelpName = "S" };
    private readonly Option<double?> _flip = new("--p-label-flip") { Description = "Probability that a label is turned round.", HelpName = "P" };
    private readonly Option<string> _noise = new("--label-noise") { Description = "return: noisy rows get their label; alpaca-eval: they get none, as there.", HelpName = "MODE", DefaultValueFactory = _ => "return" };
    private readonly Option<int?> _concurrency = new("--max-concurrency") { Description = "Requests in flight (default: OPENAI_MAX_CONCURRENCY, or 16).", HelpName = "N" };
    private readonly Option<double?> _maxCost = new("--max-cost") { Description = "Stops before more US dollars are spent.", HelpName = "USD" };
    private readonly Option<double?> _requests = new("--requests-per-minute") { Description = "Limit on requests.", HelpName = "N" };
    private readonly Option<double?> _tokens = new("--tokens-per-minute") { Description = "Limit on tokens.", HelpName = "N" };
    private readonly Option<double> _timeout = new("--timeout") { Description = "Seconds that one attempt may take.", HelpName = "S", DefaultValueFactory = _ => 120 };
    private readonly Option<int> _retries = new("--max-retries") { Description = "How often a request is tried again.", HelpName = "N", DefaultValueFactory = _ => 10 };
    private readonly Option<double> _delay = new("--retry-delay") { Description = "Seconds before the first retry; they double.", HelpName = "S", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _maxDelay = new("--max-retry-delay") { Description = "Seconds between retries at most.", HelpName = "S", DefaultValueFactory = _ => 60 };
    private readonly Option<string?> _tiktoken = new("--tiktoken") { Description = "Vocabulary for judges that favour or avoid words.", HelpName = "FILE" };
    private readonly Option<bool> _noBias = new("--no-logit-bias") { Description = "Sends requests without favouring or avoiding words." };
    private readonly Option<bool> _skipAnnotated = new("--skip-annotated") { Description = "Rows that have a preference keep it." };
    private readonly Option<bool> _retryFailed = new("--retry-failed") { Description = "Asks again for pairs whose last request failed." };
    private readonly Option<bool> _reannotate = new("--reannotate") { Description = "Asks again for everything, whatever the journal holds." };
    private readonly Option<bool> _resume = new("--resume") { Description = "Goes on with an interrupted run of the same settings." };

    /// <summary>The judge's name or path.</summary>
    public string Judge(ParseResult result) => result.GetRequiredValue(_judge);

    /// <summary>The seed.</summary>
    public int Seed(ParseResult result) => result.GetValue(_seed);

    /// <summary>Adds the flag that names the judge.</summary>
    public void AddJudgeTo(Command command)
    {
        command.Options.Add(_judge);
        command.Options.Add(_seed);
    }

    /// <summary>Adds all flags to a verb.</summary>
    public void AddTo(Command command)
    {
        AddJudgeTo(command);
        foreach (var option in new Option[]
        {
            _model, _judgeModel, _journal, _flip, _noise, _concurrency, _maxCost, _resume, _retryFailed, _skipAnnotated, _reannotate, _baseUrl, _clients, _requests, _tokens, _timeout, _retries, _delay, _maxDelay, _tiktoken, _noBias,
        })
        {
            command.Options.Add(option);
        }

        _engine.AddTo(command);
    }

    /// <summary>The configurations with the model that the flags name.</summary>
    public IReadOnlyList<JudgeConfig> Configs(ParseResult result)
    {
        var configs = JudgeFolders.Read(Judge(result));
        // What Farm's own engine says costs nothing.
        return JudgeModel(result) is { } folder ? [.. configs.Select(c => c.WithModel(folder, pricePerToken: 0))]
            : result.GetValue(_model) is { } name ? [.. configs.Select(c => c.WithModel(name))]
            : configs;
    }

    /// <summary>The folder of the model by which Farm's own engine answers; null where a server does.</summary>
    public string? JudgeModel(ParseResult result) => result.GetValue(_judgeModel);

    /// <summary>Who makes completions for a judge: its server, or Farm's engine.</summary>
    public ICompletionClient Client(ParseResult result, JudgeConfig judge) => JudgeModel(result) is { } folder
        ? new EngineCompletionClient(folder == "pocket" && !Directory.Exists(folder) ? PocketModels.Embedded("--judge-model DIR").Policy : folder, _engine.Read(result), Seed(result))
        : new OpenAiCompletionClient(OpenAi(result, judge));

    /// <summary>Is an unfinished run to be gone on with?</summary>
    public bool Resume(ParseResult result) => result.GetValue(_resume);

    /// <summary>The journal's file; null where none is asked for.</summary>
    public string? Journal(ParseResult result) => result.GetValue(_journal);

    /// <summary>Did the user say which server to ask?</summary>
    public bool HasEndpoint(ParseResult result) => JudgeModel(result) is not null || (result.GetValue(_baseUrl) ?? result.GetValue(_clients) ?? OpenAiOptions.BaseUrlFromEnvironment()) is not null;

    /// <summary>What the run may cost.</summary>
    public CostLedger Ledger(ParseResult result) => new(result.GetValue(_maxCost) is { } limit ? Positive("--max-cost", limit) : null);

    /// <summary>The vocabulary's bias for a judge; null where there is no vocabulary, empty where no bias is wanted.</summary>
    public Func<JudgeConfig, IReadOnlyDictionary<string, int>>? LogitBias(ParseResult result)
    {
        if (result.GetValue(_noBias) || result.GetValue(_judgeModel) is not null)
        {
            return _ => new Dictionary<string, int>();
        }

        return result.GetValue(_tiktoken) is { } file ? TiktokenVocabulary.Read(file).Bias : null;
    }

    /// <summary>How the server is asked.</summary>
    private OpenAiOptions OpenAi(ParseResult result, JudgeConfig judge) => OpenAiOptions.FromEnvironment(result.GetValue(_baseUrl), result.GetValue(_clients), judge) with
    {
        MaxConcurrency = MaxConcurrency(result),
        RequestsPerMinute = result.GetValue(_requests) is { } requests ? Positive("--requests-per-minute", requests) : null,
        TokensPerMinute = result.GetValue(_tokens) is { } tokens ? Positive("--tokens-per-minute", tokens) : null,
        Timeout = TimeSpan.FromSeconds(Positive("--timeout", result.GetValue(_timeout))),
        MaxRetries = result.GetValue(_retries) is >= 0 and var retries ? retries : throw new BadInputException($"--max-retries must not be negative, as {result.GetValue(_retries)} is."),
        RetryDelay = TimeSpan.FromSeconds(Positive("--retry-delay", result.GetValue(_delay))),
        MaxRetryDelay = TimeSpan.FromSeconds(Positive("--max-retry-delay", result.GetValue(_maxDelay))),
    };

    /// <summary>How the annotator behaves.</summary>
    public AnnotatorOptions Annotator(ParseResult result, AnnotationJournal? journal) => new()
    {
        Seed = Seed(result),
        MaxConcurrency = MaxConcurrency(result),
        LabelFlip = result.GetValue(_flip),
        LabelNoise = result.GetValue(_noise) switch
        {
            "return" => LabelNoiseMode.Return,
            "alpaca-eval" => LabelNoiseMode.AlpacaEval,
            var other => throw new BadInputException($"--label-noise must be return or alpaca-eval, not {other}."),
        },
        SkipAnnotated = result.GetValue(_skipAnnotated),
        RetryFailed = result.GetValue(_retryFailed),
        AvoidReannotations = !result.GetValue(_reannotate),
        Journal = journal,
    };

    private int MaxConcurrency(ParseResult result) =>
        result.GetValue(_concurrency) ?? (int.TryParse(Environment.GetEnvironmentVariable("OPENAI_MAX_CONCURRENCY"), out int stated) && stated > 0 ? stated : 16);

    private static double Positive(string flag, double value) =>
        value > 0 && double.IsFinite(value) && value < 1e9 ? value : throw new BadInputException(FormattableString.Invariant($"{flag} must be a positive number, not {value}."));
}
