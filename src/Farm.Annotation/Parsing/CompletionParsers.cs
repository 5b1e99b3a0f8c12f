using Farm.Annotation.Configuration;
using Farm.Core;

namespace Farm.Annotation.Parsing;

/// <summary>Turns a completion into one value for each example of its prompt.</summary>
internal interface ICompletionParser
{
    /// <summary>The values; an element may be a <see cref="JudgeFailure"/>.</summary>
    /// <param name="completion">A text, a choice object, or what another parser made.</param>
    /// <exception cref="UnparsedReplyException">There are none.</exception>
    IReadOnlyList<object?> Parse(object? completion);
}

/// <summary>The parsers by alpaca_eval's names.</summary>
internal static class CompletionParsers
{
    /// <summary>Names that <c>fn_completion_parser</c> may have.</summary>
    public static readonly string[] Loadable = ["regex_parser", "lmsys_parser", "ranking_parser", "json_parser", "eval_parser", "logprob_parser", "pipeline_meta_parser"];

    private static readonly string[] s_inPipelines = [.. Loadable, "replace_parser"];

    /// <summary>The parser of an annotator.</summary>
    /// <exception cref="BadInputException">Its settings are wrong.</exception>
    public static ICompletionParser Create(JudgeConfig config, string? place = null) =>
        Create(config.FnCompletionParser, config.CompletionParserKwargs, $"{place ?? $"annotator '{config.Name}'"}, key 'completion_parser_kwargs'");

    private static ICompletionParser Create(string name, OrderedDictionary<object, object?> settings, string place)
    {
        var reader = new KeyReader(place, settings);
        switch (name)
        {
            case "regex_parser":
                reader.Only("outputs_to_match");
                return new RegexParser(place, Required(reader, "outputs_to_match"));
            case "ranking_parser":
                reader.Only("model_1_name");
                return new RankingParser(reader.OptionalText("model_1_name") ?? "model_1");
            case "lmsys_parser":
                reader.Only();
                return new LmsysParser();
            case "json_parser":
                reader.Only("annotation_key");
                return settings.ContainsKey("annotation_key") ? new JsonParser(reader.OptionalText("annotation_key")) : throw new BadInputException($"{place}: json_parser needs 'annotation_key', which may be null.");
            case "eval_parser":
                reader.Only();
                return new EvalParser();
            case "replace_parser":
                reader.Only("replacer", "default_replacer");
                return new ReplaceParser(Required(reader, "replacer"), settings.ContainsKey("default_replacer") ? reader.Any("default_replacer") : "auto");
            case "logprob_parser":
                reader.Only("numerator_token", "denominator_tokens", "is_binarize", "log_prob_index");
                object? index = reader.Any("log_prob_index");
                return new LogprobParser(
                    reader.Text("numerator_token"),
                    reader.Texts("denominator_tokens", []) is { Count: > 0 } tokens ? tokens : throw new BadInputException($"{place}: logprob_parser needs 'denominator_tokens'."),
                    reader.Boolean("is_binarize", true),
                    index is null or "batch" ? null : reader.Integer("log_prob_index", 0));
            case "pipeline_meta_parser":
                reader.Only("parsers_to_kwargs", "is_squeeze");
                var steps = Required(reader, "parsers_to_kwargs").Select(p => Step(JudgeConfigReader.Text(p.Key), p.Value, place));
                return new PipelineParser([.. steps], reader.Boolean("is_squeeze", true));
            default:
                throw new BadInputException($"{place}: unknown parser '{name}'; there are {string.Join(", ", s_inPipelines)}.");
        }
    }

    private static ICompletionParser Step(string name, object? settings, string place) => settings switch
    {
        OrderedDictionary<object, object?> map => Create(name, map, $"{place}, parser '{name}'"),
        null => Create(name, [], $"{place}, parser '{name}'"),
        _ => throw new BadInputException($"{place}, parser '{name}': must be a map."),
    };

    private static OrderedDictionary<object, object?> Required(KeyReader reader, string key) =>
        reader.Map(key) is { Count: > 0 } map ? map : throw reader.Wrong(key, "is missing or empty");
}
