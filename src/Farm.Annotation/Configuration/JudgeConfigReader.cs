using System.Globalization;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Annotation.Prompts;
using Farm.Core;

namespace Farm.Annotation.Configuration;

/// <summary>Reads alpaca_eval's evaluator folders: <c>configs.yaml</c> and the prompts that it names.</summary>
public static class JudgeConfigReader
{
    private static readonly string[] s_keys =
    [
        "prompt_template", "fn_completions", "completions_kwargs", "fn_completion_parser", "completion_parser_kwargs", "completion_key", "batch_size", "is_shuffle",
        "is_randomize_output_order", "random_seed_column", "processors_to_kwargs", "is_add_default_processors", "packages_for_which_to_show_version",
        "prfx_to_completion_cols", "pretty_name", "link",
    ];

    private static readonly string[] s_reserved = ["seed", "base_dir", "annotation_column", "completion_column"];

    private static readonly string[] s_decoders =
    [
        "openai_completions", "anthropic_completions", "bedrock_anthropic_completions", "cohere_completions", "google_completions", "huggingface_api_completions",
        "huggingface_local_completions", "vllm_local_completions", "replicate_completions", "jina_chat_completions", "cache_completions", "test_completions",
    ];

    private static readonly string[] s_processors =
        ["RandomSwitchTwoColumnsProcessor", "PaddingForBatchesProcessor", "ChainOfThoughtProcessor", "JsonKeysToColumnProcessor"];

    /// <summary>Reads all annotators of a folder or a YAML file.</summary>
    /// <param name="path">The evaluator's folder, or its YAML file.</param>
    /// <exception cref="BadInputException">Something is missing, unknown or wrong; the sentence says what and where.</exception>
    public static IReadOnlyList<JudgeConfig> Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? Path.Combine(path, "configs.yaml") : path;
        if (!File.Exists(file))
        {
            throw new BadInputException(Missing(path, file));
        }

        if (YamlFile.Read(file) is not OrderedDictionary<object, object?> entries || entries.Count == 0)
        {
            throw new BadInputException($"{file} must hold a map from names of annotators to their settings.");
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        return [.. entries.Select(e => Entry(file, folder, Text(e.Key), e.Value))];
    }

    private static string Missing(string path, string file)
    {
        if (!Directory.Exists(path))
        {
            return $"The judge {path} does not exist: give a folder with configs.yaml, a YAML file, or the name of a judge that comes with Farm.";
        }

        string[] others = [.. Directory.EnumerateFiles(path, "*.y*ml").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
        return others.Length > 0 ? $"{file} does not exist; the folder has {string.Join(", ", others)}, which can be given by its own path." : $"{file} does not exist.";
    }

    private static JudgeConfig Entry(string file, string folder, string name, object? value)
    {
        string place = $"{file}, annotator '{name}'";
        if (value is not OrderedDictionary<object, object?> keys)
        {
            throw new BadInputException($"{place}: must be a map of settings.");
        }

        foreach (string key in keys.Keys.Select(Text))
        {
            if (s_reserved.Contains(key))
            {
                throw new BadInputException($"{place}: the key '{key}' is set by the pool and must not be in the file.");
            }

            if (!s_keys.Contains(key))
            {
                throw new BadInputException($"{place}: unknown key '{key}'; the keys are {string.Join(", ", s_keys)}.");
            }
        }

        var reader = new KeyReader(place, keys);
        int batch = reader.Integer("batch_size", 1);
        if (batch < 1)
        {
            throw new BadInputException($"{place}, key 'batch_size': must be at least 1, not {batch}.");
        }

        var (template, withInputs) = Templates(place, folder, keys, batch);
        var config = new JudgeConfig
        {
            Name = name,
            Pool = Path.GetFileName(folder),
            Template = template,
            TemplateWithInputs = withInputs,
            FnCompletions = reader.OneOf("fn_completions", "openai_completions", s_decoders),
            CompletionsKwargs = reader.Map("completions_kwargs"),
            FnCompletionParser = reader.OneOf("fn_completion_parser", "regex_parser", CompletionParsers.Loadable),
            CompletionParserKwargs = reader.Map("completion_parser_kwargs"),
            CompletionKey = reader.OneOf("completion_key", "completions", ["completions", "completions_all"]),
            BatchSize = batch,
            IsShuffle = reader.Boolean("is_shuffle", true),
            IsRandomizeOutputOrder = reader.Boolean("is_randomize_output_order", true),
            RandomSeedColumn = [.. reader.Texts("random_seed_column", ["instruction"]).Order(StringComparer.Ordinal)],
            ProcessorsToKwargs = reader.Map("processors_to_kwargs"),
            Padding = Padding(place, reader, batch),
            ShowVersion = !keys.TryGetValue("packages_for_which_to_show_version", out object? packages) || packages is not null,
            ColumnPrefix = keys.TryGetValue("prfx_to_completion_cols", out object? prefix)
                ? (prefix as string ?? string.Empty).Replace("{annotation_column}", "preference", StringComparison.Ordinal)
                : "preference_",
            PrettyName = reader.OptionalText("pretty_name"),
            Link = reader.OptionalText("link"),
        };
        foreach (string processor in config.ProcessorsToKwargs.Keys.Select(Text))
        {
            if (!s_processors.Contains(processor))
            {
                throw new BadInputException($"{place}, key 'processors_to_kwargs': unknown processor '{processor}'; there are {string.Join(", ", s_processors)}.");
            }

            if (processor == "RandomSwitchTwoColumnsProcessor")
            {
                throw new BadInputException($"{place}, key 'processors_to_kwargs': {processor} is what is_randomize_output_order and random_seed_column are for; set those.");
            }
        }

        // Made here so that a faulty setting is found before anything is sent.
        CompletionParsers.Create(config, place);
        return config;
    }

    /// <summary>The dummy of a batch: the configuration's own, alpaca_eval's, or none.</summary>
    private static ShownPair? Padding(string place, KeyReader reader, int batch)
    {
        const string Name = "PaddingForBatchesProcessor";
        var processors = reader.Map("processors_to_kwargs");
        if (!processors.ContainsKey(Name))
        {
            return reader.Boolean("is_add_default_processors", true) ? ShownPair.Padding : null;
        }

        string where = $"{place}, {Name}";
        var settings = new KeyReader(where, processors.GetValueOrDefault(Name) as OrderedDictionary<object, object?> ?? []);
        settings.Only("batch_size", "padding_example");
        if (settings.Integer("batch_size", batch) is var own && own != batch)
        {
            throw new BadInputException($"{where}: its batch_size is {own} where the annotator's is {batch}.");
        }

        if (!settings.Has("padding_example"))
        {
            return ShownPair.Padding;
        }

        var example = new KeyReader($"{where}, padding_example", settings.Map("padding_example"));
        example.Only("instruction", "input", "output_1", "output_2");
        return new ShownPair(example.Text("instruction"), example.Text("output_1"), example.Text("output_2"), null);
    }

    private static (PromptTemplate Template, PromptTemplate? WithInputs) Templates(string place, string folder, OrderedDictionary<object, object?> keys, int batch)
    {
        switch (keys.GetValueOrDefault("prompt_template"))
        {
            case string path:
                return (Template(place, folder, path, batch), null);
            case OrderedDictionary<object, object?> map when map.GetValueOrDefault("without_inputs") is string without && map.GetValueOrDefault("with_inputs") is string with && map.Count == 2:
                return (Template(place, folder, without, batch), Template(place, folder, with, batch));
            case null:
                throw new BadInputException($"{place}: the key 'prompt_template' is missing.");
            default:
                throw new BadInputException($"{place}, key 'prompt_template': must be the path of a file, or a map of with_inputs and without_inputs to paths.");
        }
    }

    /// <summary>Paths are relative to the folder above the evaluator's, so that evaluators may share prompts.</summary>
    private static PromptTemplate Template(string place, string folder, string path, int batch)
    {
        string full = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(folder) ?? folder, path));
        if (!File.Exists(full))
        {
            throw new BadInputException($"{place}, key 'prompt_template': the file {full} does not exist (a prompt is a file, relative to the folder above the evaluator's).");
        }

        string text = RowFile.ReadText(full).ReplaceLineEndings("\n");
        return PromptTemplate.Create(full, text, batch);
    }

    /// <summary>The text of a key; YAML reads <c>1</c> as a number.</summary>
    internal static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? string.Empty;
}
