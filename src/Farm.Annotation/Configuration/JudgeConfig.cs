using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Farm.Annotation.Judging;
using Farm.Annotation.Prompts;
using Farm.Annotation.Python;

namespace Farm.Annotation.Configuration;

/// <summary>One annotator of an <c>evaluators_configs</c> folder: an entry of its <c>configs.yaml</c>, with its template read.</summary>
public sealed record JudgeConfig
{
    /// <summary>The entry's name.</summary>
    public required string Name { get; init; }

    /// <summary>The name of the folder that holds the YAML file.</summary>
    public required string Pool { get; init; }

    /// <summary>The prompt for rows without an input, or for all rows.</summary>
    public required PromptTemplate Template { get; init; }

    /// <summary>The prompt for rows with an input, in configurations of AlpacaFarm's own old form; else null.</summary>
    public PromptTemplate? TemplateWithInputs { get; init; }

    /// <summary>How completions are made, e.g. <c>openai_completions</c>.</summary>
    public string FnCompletions { get; init; } = "openai_completions";

    /// <summary>What is passed to the decoder; entries that it does not know go into the request unchanged.</summary>
    internal OrderedDictionary<object, object?> CompletionsKwargs { get; init; } = [];

    /// <summary>The parser's name.</summary>
    public string FnCompletionParser { get; init; } = "regex_parser";

    /// <summary>What is passed to the parser.</summary>
    internal OrderedDictionary<object, object?> CompletionParserKwargs { get; init; } = [];

    /// <summary><c>completions</c>: the parser sees the text; <c>completions_all</c>: it sees the whole choice object.</summary>
    public string CompletionKey { get; init; } = "completions";

    /// <summary>Examples in a prompt.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Are rows shuffled before they are put into prompts?</summary>
    public bool IsShuffle { get; init; } = true;

    /// <summary>Are the two outputs shown in a random order?</summary>
    public bool IsRandomizeOutputOrder { get; init; } = true;

    /// <summary>Columns that decide the order, sorted.</summary>
    public IReadOnlyList<string> RandomSeedColumn { get; init; } = ["instruction"];

    /// <summary>Names and settings of processors, in order.</summary>
    internal OrderedDictionary<object, object?> ProcessorsToKwargs { get; init; } = [];

    /// <summary>The dummy that fills up the last prompt of a batched judge; null where the rows must come out even.</summary>
    public ShownPair? Padding { get; init; } = ShownPair.Padding;

    /// <summary>False where the column <c>version</c> is not wanted.</summary>
    public bool ShowVersion { get; init; } = true;

    /// <summary>What the names of columns begin with.</summary>
    public string ColumnPrefix { get; init; } = "preference_";

    /// <summary>A longer name, for tables.</summary>
    public string? PrettyName { get; init; }

    /// <summary>Where to read about it.</summary>
    public string? Link { get; init; }

    /// <summary>The model, null for a decoder without one.</summary>
    public string? ModelName => CompletionsKwargs.TryGetValue("model_name", out object? name) ? Convert.ToString(name, CultureInfo.InvariantCulture) : null;

    /// <summary>The same judge with another model, e.g. one that a local server has.</summary>
    /// <param name="name">The model's name.</param>
    /// <param name="pricePerToken">What its tokens cost in US dollars; null leaves the configuration's price.</param>
    public JudgeConfig WithModel(string name, double? pricePerToken = null)
    {
        var arguments = new OrderedDictionary<object, object?>(CompletionsKwargs);
        if (FnCompletions is "openai_completions" or "cache_completions" && ModelName is { } before)
        {
            // Whether the prompt is a chat was decided by the name that it was written for.
            arguments.TryAdd("requires_chatml", Judging.RequestBody.IsChatModel(before));
        }

        arguments["model_name"] = name;
        if (pricePerToken is { } price)
        {
            arguments["price_per_token"] = price;
        }

        return this with { CompletionsKwargs = arguments };
    }

    /// <summary>A hash of everything that decides what the judge is asked: prompt, decoder and its arguments. How the reply is read is not in it.</summary>
    public string Hash()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            writer.WriteStringValue(Name);
            writer.WriteStringValue(Template.Text);
            writer.WriteStringValue(TemplateWithInputs?.Text);
            writer.WriteStringValue(FnCompletions);
            PythonValue.Write(writer, CompletionsKwargs);
            writer.WriteNumberValue(BatchSize);
            writer.WriteBooleanValue(IsRandomizeOutputOrder);
            writer.WriteStringValue(string.Join('\n', RandomSeedColumn));
            writer.WriteEndArray();
        }

        return Convert.ToHexStringLower(SHA256.HashData(buffer.ToArray()))[..32];
    }
}
