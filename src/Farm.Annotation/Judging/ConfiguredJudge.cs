using System.Globalization;
using System.Text;
using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Parsing;
using Farm.Annotation.Python;

namespace Farm.Annotation.Judging;

/// <summary>A judge that is an entry of alpaca_eval's configuration and a client that makes completions.</summary>
public sealed class ConfiguredJudge : IPairwiseJudge
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private readonly ICompletionClient? _client;
    private readonly ICompletionParser _parser;
    private readonly RequestBody _body;
    private readonly double? _pricePerToken;
    private readonly CostLedger _ledger;

    /// <summary>Makes the judge.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="client">Who makes completions; null for a judge that only reads kept replies.</param>
    /// <param name="ledger">Where the cost is booked.</param>
    /// <param name="logitBias">Token ids and what is added to their logits.</param>
    /// <exception cref="Farm.Core.BadInputException">The decoder's arguments are wrong, or a cost limit needs a price that is not known.</exception>
    public ConfiguredJudge(JudgeConfig config, ICompletionClient? client, CostLedger? ledger = null, IReadOnlyDictionary<string, int>? logitBias = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        Config = config;
        Identity = config.Hash();
        _client = client;
        _ledger = ledger ?? new CostLedger();
        _parser = CompletionParsers.Create(config);
        _body = new RequestBody(config, logitBias ?? new Dictionary<string, int>());
        _pricePerToken = new KeyReader($"annotator '{config.Name}', completions_kwargs", config.CompletionsKwargs).Number("price_per_token")
            ?? TokenPrices.Of(config.FnCompletions, config.ModelName);
        _ledger.RequirePrice(config.Name, config.ModelName, _pricePerToken);
    }

    /// <summary>The configuration.</summary>
    public JudgeConfig Config { get; }

    /// <inheritdoc/>
    public string Name => Config.Name;

    /// <inheritdoc/>
    public string Identity { get; }

    /// <inheritdoc/>
    public int BatchSize => Config.BatchSize;

    /// <inheritdoc/>
    public int PromptsPerRequest => _body.PromptsPerRequest;

    /// <inheritdoc/>
    public ShownPair? Padding => Config.Padding;

    /// <inheritdoc/>
    public bool IsShuffle => Config.IsShuffle;

    /// <inheritdoc/>
    public bool IsRandomizeOutputOrder => Config.IsRandomizeOutputOrder;

    /// <inheritdoc/>
    public IReadOnlyList<string> RandomSeedColumns => Config.RandomSeedColumn;

    /// <inheritdoc/>
    public string? Version => Config.ShowVersion ? VersionText.Own : null;

    /// <inheritdoc/>
    public string ColumnPrefix => Config.ColumnPrefix;

    /// <summary>The prompt for a batch, before it becomes a request.</summary>
    public string Prompt(IReadOnlyList<ShownPair> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        bool withInputs = Config.TemplateWithInputs is not null && pairs.Any(p => !string.IsNullOrEmpty(p.Row?.Input));
        var template = withInputs ? Config.TemplateWithInputs! : Config.Template;
        return template.Fill([.. pairs.Select(p => (Func<string, string>)(slot => Column(p, slot)))]);
    }

    /// <inheritdoc/>
    public JudgeRequest Prepare(IReadOnlyList<ShownPair> pairs)
    {
        byte[] body = _body.Write(Prompt(pairs));
        // Four bytes a token is the common estimate for English.
        var request = new CompletionRequest(_body.Model, _body.IsChat, body, (body.Length / 4) + _body.MaxTokens) { PromptsPerRequest = _body.PromptsPerRequest };
        return new JudgeRequest(pairs, Utf8.GetString(body), request);
    }

    /// <inheritdoc/>
    public async Task<JudgeReply> AskAsync(JudgeRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var completion = (CompletionRequest)request.Payload!;
        if (_client is null)
        {
            throw new InvalidOperationException("This judge has no client: it reads replies that were kept.");
        }

        double reserved = _ledger.Reserve(completion.EstimatedTokens * (_pricePerToken ?? 0));
        double? price = null, tokens = null;
        try
        {
            var reply = await _client.CompleteAsync(completion, cancellationToken).ConfigureAwait(false);
            tokens = reply.TotalTokens;
            price = tokens * _pricePerToken;
            return new JudgeReply
            {
                Raw = reply.Failure is not null ? null : Config.CompletionKey == "completions_all" && reply.Choice is { } choice ? choice : JsonRow.Value(reply.Text),
                Failure = reply.Failure,
                TotalTokens = tokens,
                Price = price,
                Attempts = reply.Attempts,
            };
        }
        finally
        {
            _ledger.Book(reserved, price, tokens);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<Verdict> Read(JsonElement raw, int pairs)
    {
        try
        {
            return Verdicts(_parser.Parse(Completion(raw)), pairs);
        }
        catch (UnparsedReplyException e)
        {
            return Repeat(e.Failure, pairs);
        }
        catch (System.Text.RegularExpressions.RegexMatchTimeoutException)
        {
            return Repeat(new JudgeFailure(FailureReason.NoMatch, "a pattern takes too long on the reply"), pairs);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<KeyValuePair<string, JsonElement>> Columns(JsonElement raw, double? preference) => Processors.Columns(Config, raw, preference);

    /// <summary>
    /// What the parser sees. pandas reads a reply that is JSON back as an object: for a parser of texts it is made a text again.
    /// </summary>
    private object? Completion(JsonElement raw) =>
        Config.CompletionKey == "completions" && raw.ValueKind is JsonValueKind.Object or JsonValueKind.Array && Config.FnCompletionParser is not "ranking_parser" and not "logprob_parser"
            ? JsonSerializer.Serialize(raw)
            : PythonValue.From(raw);

    private static IReadOnlyList<Verdict> Verdicts(IReadOnlyList<object?> values, int pairs)
    {
        if (values.Count != pairs)
        {
            return Repeat(new JudgeFailure(FailureReason.WrongCount, $"the reply has {values.Count} values for {pairs} examples"), pairs);
        }

        return [.. values.Select(Verdict)];
    }

    private static Verdict Verdict(object? value)
    {
        if (value is JudgeFailure failure)
        {
            return new Verdict(null, failure);
        }

        double? number = value is string text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double d) ? d : PythonValue.Number(value);
        return number switch
        {
            >= 1 and <= 2 => new Verdict(number),
            null or double.NaN => new Verdict(null, new JudgeFailure(FailureReason.NotANumber, "the value is no number")),
            _ => new Verdict(null, new JudgeFailure(FailureReason.OutOfRange, FormattableString.Invariant($"the value {number} is not from 1 to 2"))),
        };
    }

    private static IReadOnlyList<Verdict> Repeat(JudgeFailure failure, int pairs) => [.. Enumerable.Repeat(new Verdict(null, failure), pairs)];

    private string Column(ShownPair pair, string slot) => slot switch
    {
        // A template with a slot for the input gets the bare instruction, one without gets both in one.
        "instruction" => pair.Row is { } row && (Config.TemplateWithInputs is not null || Config.Template.Slots.Contains("input")) ? row.Instruction : pair.Instruction,
        "input" => pair.Row?.Input ?? string.Empty,
        "output_1" => pair.Output1,
        "output_2" => pair.Output2,
        _ => Name,
    };
}
