using System.Text;
using Farm.Annotation.Tests.Support;

namespace Farm.Annotation.Tests.Configuration;

/// <summary>
/// A folder in the shape of alpaca_eval's <c>evaluators_configs</c>: its 45 folders and 57 annotators with their keys, decoders, parsers, settings and
/// references to one another's prompts. The prompts are words of our own.
/// </summary>
internal static class AlpacaEvalFolders
{
    public const string NoConfigs = "Self-taught-llama3.1-70B-dpo";

    private const string Both = "(?:^|\\n) ?Output \\(", Avoid = "tokens_to_avoid: [Both, Neither, None, ' Both', ' Neither', Either, depends, context, It, both, Sorry]";
    private const string Chat = "chatgpt/basic_prompt.txt", Plain = "text_davinci_003/basic_prompt.txt", Human = "claude/basic_prompt.txt", Ranking = "alpaca_eval_gpt4/alpaca_eval.txt", OneToken = "alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt";
    private const string MoreTokens = "alpaca_eval_clf_cot_gpt4_turbo/alpaca_eval_clf_cot.txt";

    /// <summary>All annotators.</summary>
    public static IReadOnlyList<Entry> All { get; } = [.. Pool(), .. Patterns(), .. Rankings(), .. Logprobs(), .. Functions(), .. Scores()];

    /// <summary>Writes all folders.</summary>
    public static void Write(Folder folder)
    {
        foreach (var pool in All.GroupBy(e => e.Folder))
        {
            folder.Write($"{pool.Key}/{(pool.Key == NoConfigs ? "config.yaml" : "configs.yaml")}", string.Concat(pool.Select(e => e.Yaml)));
        }

        foreach (var (path, batch, isChat) in All.Select(e => (e.Prompt, e.Batch, e.Prompt is not (Plain or Human) && !e.Prompt.EndsWith(".plain.txt", StringComparison.Ordinal))).Distinct())
        {
            folder.Write(path, Prompt(batch, isChat));
        }
    }

    private static string Prompt(int batch, bool isChat)
    {
        var text = new StringBuilder(isChat ? "<|im_start|>system\nYou compare two answers.\n<|im_end|>\n<|im_start|>user\n" : "Two answers are compared.\n\n");
        for (int i = 0; i < batch; i++)
        {
            text.Append("# Example { \"of\": \"JSON\" }\n{instruction}\n## (a)\n{output_1}\n## (b)\n{output_2}\n");
        }

        return text.Append(isChat ? "Which one?\n<|im_end|>\n" : "Which one?").ToString();
    }

    /// <summary>The simulator of AlpacaFarm: thirteen annotators of three models, some of which take several examples.</summary>
    private static IEnumerable<Entry> Pool()
    {
        const string Favor = "tokens_to_favor: ['Output (a)', 'Output (b)']";
        (string Name, string Model, int Tokens, int Batch, string A, string B, string More)[] rows =
        [
            ("gpt4_1", "gpt-4-0314", 600, 4, ": true", ": false", ""),
            ("gpt4_2", "gpt-4-0314", 250, 5, $"{Both}a\\)", $"{Both}b\\)", ""),
            ("gpt4_3", "gpt-4-0314", 250, 5, $"{Both}a\\)", $"{Both}b\\)", ""),
            ("gpt4_4", "gpt-4-0314", 20, 1, "Output \\(a\\)", "Output \\(b\\)", $"{Favor}, {Avoid}"),
            ("gpt4_5", "gpt-4-0314", 250, 5, "(?:^|\\n)Output \\(a\\)", "(?:^|\\n)Output \\(b\\)", ""),
            ("chatgpt_1", "gpt-3.5-turbo-0301", 50, 1, $"{Both}a\\)", $"{Both}b\\)", $"{Favor}, {Avoid}"),
            ("chatgpt_2", "gpt-3.5-turbo-0301", 150, 1, ": true", ": false", Avoid),
            ("chatgpt_3", "gpt-3.5-turbo-0301", 20, 1, "Output \\(a\\)", "Output \\(b\\)", $"{Favor}, {Avoid}"),
            ("chatgpt_4", "gpt-3.5-turbo-0301", 20, 1, "Output \\(a\\)", "Output \\(b\\)", $"{Favor}, {Avoid}"),
            ("davinci003_1", "text-davinci-003", 200, 4, "\\(a\\)", "\\(b\\)", "tokens_to_favor: ['(a)', '(b)']"),
            ("davinci003_2", "text-davinci-003", 200, 1, "\\n\\(a\\)", "\\n\\(b\\)", ""),
            ("davinci003_3", "text-davinci-003", 200, 5, "\\n\\(a\\)", "\\n\\(b\\)", ""),
            ("davinci003_4", "text-davinci-003", 200, 1, " \\(a\\)", " \\(b\\)", ""),
        ];
        return rows.Select(r => new Entry("alpaca_farm", r.Name, $"alpaca_farm/{r.Name}{(r.Model.StartsWith("text", StringComparison.Ordinal) ? ".plain" : "")}.txt")
        {
            Arguments = $"model_name: {r.Model}, max_tokens: {r.Tokens}, temperature: 1.0{(r.More.Length > 0 ? ", " : "")}{r.More}",
            ParserArguments = $"outputs_to_match: {{1: '{r.A}', 2: '{r.B}'}}",
            Batch = r.Batch,
            First = Sample(r.A, r.B, r.Batch, 1),
            Second = Sample(r.A, r.B, r.Batch, 2),
        });

        // Text that a pattern matches once for each example.
        static string Sample(string a, string b, int batch, int which)
        {
            string one = (which == 1 ? a : b).Replace("(?:^|\\n)", "\n", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal).Replace(" ?", " ", StringComparison.Ordinal).Replace("\\", "", StringComparison.Ordinal);
            return string.Concat(Enumerable.Repeat($"Well,{one} it is.", batch));
        }
    }

    private static IEnumerable<Entry> Patterns()
    {
        const string A = "outputs_to_match: {1: '(?:^|\\n) ?Output \\(a\\)', 2: '(?:^|\\n) ?Output \\(b\\)'}";
        Entry Regex(string folder, string prompt, string arguments, string decoder = "openai_completions") =>
            new(folder, folder, prompt) { Decoder = decoder, Arguments = arguments, ParserArguments = A, First = "Output (a)", Second = "So:\n Output (b), clearly" };
        yield return Regex("alpaca_farm_greedy_gpt4", "alpaca_farm_greedy_gpt4/five.txt", "model_name: gpt-4-0314, max_tokens: 250, temperature: 0") with
        {
            Batch = 5,
            First = string.Concat(Enumerable.Repeat("\nOutput (a) is best", 5)),
            Second = string.Concat(Enumerable.Repeat("\nOutput (b) is best", 5)),
        };
        yield return Regex("bedrock_claude", Human, "model_name: anthropic.claude-v1, max_tokens_to_sample: 50, temperature: 0", "bedrock_anthropic_completions");
        yield return Regex("bedrock_claude_2", Human, "model_name: anthropic.claude-v2, max_tokens_to_sample: 50, temperature: 0", "bedrock_anthropic_completions");
        yield return Regex("chatgpt", Chat, "model_name: gpt-3.5-turbo-16k-0613, max_tokens: 50, temperature: 0");
        yield return Regex("chatgpt_fn", "chatgpt_fn/basic_function_prompt.txt",
            "model_name: gpt-3.5-turbo-16k-0613, max_tokens: 50, temperature: 0, tool_choice: {type: function, function: {name: choose}}, tools: [{type: function, function: {name: choose, parameters: {type: object, properties: {best: {type: string}}, required: [best]}}}]") with
        { ParserArguments = "outputs_to_match: {1: '(?i)output \\(a\\)', 2: '(?i)output \\(b\\)'}", First = "{\"best\": \"output (a)\"}", Second = "{\"best\": \"Output (B)\"}" };
        yield return Regex("claude", Human, "model_name: claude-v1, max_tokens_to_sample: 50, temperature: 0", "anthropic_completions");
        yield return Regex("claude_2", Human, "model_name: claude-2, max_tokens_to_sample: 50, temperature: 0", "anthropic_completions");
        yield return Regex("cohere", "cohere/basic_prompt.plain.txt", "model_name: command, max_tokens: 50, temperature: 0", "cohere_completions");
        yield return Regex("gpt35_turbo_instruct", Plain, "model_name: gpt-3.5-turbo-instruct, max_tokens: 50, temperature: 0");
        yield return Regex("gpt4", Chat, "model_name: gpt-4, max_tokens: 50, temperature: 0");
        yield return Regex("gpt4_turbo", Chat, "model_name: gpt-4-1106-preview, max_tokens: 50, temperature: 0");
        yield return Regex("guanaco_33b", "guanaco_33b/basic_prompt.plain.txt", "model_name: timdettmers/guanaco-33b-merged, max_new_tokens: 50", "huggingface_api_completions");
        yield return Regex("oasst_pythia_12b", "oasst_pythia_12b/basic_prompt.plain.txt", "model_name: OpenAssistant/oasst-sft-4-pythia-12b-epoch-3.5, max_new_tokens: 50, batch_size: 1, model_kwargs: {torch_dtype: bfloat16}", "huggingface_local_completions");
        yield return Regex("test", "test/basic_prompt.plain.txt", "model_name: text-davinci-003, max_tokens: 50, temperature: 0");
        yield return Regex("text_davinci_003", Plain, "model_name: text-davinci-003, max_tokens: 50, temperature: 0");
        yield return new Entry(NoConfigs, NoConfigs, $"{NoConfigs}/prompt.txt")
        {
            Decoder = "vllm_local_completions",
            Arguments = "model_name: facebook/Self-taught-evaluator-llama3.1-70B, max_new_tokens: 4096, temperature: 0, top_p: 0.9, is_chatml_prompt: true, model_kwargs: {tensor_parallel_size: 8}",
            Parser = "regex_parser",
            ParserArguments = "outputs_to_match: {1: '[[A]]', 2: '[[B]]'}",
            First = "I prefer [[A]]",
            Second = "I prefer [[B]]",
        };
    }

    private static IEnumerable<Entry> Rankings()
    {
        Entry Rank(string folder, string prompt, string arguments, string decoder = "openai_completions") => new(folder, folder, prompt)
        {
            Decoder = decoder,
            Arguments = arguments,
            Parser = "ranking_parser",
            First = "[\n    {'model': 'model_1', 'rank': 1},\n    {'model': 'model_2', 'rank': 2}\n]",
            Second = "[{'model': 'model_2', 'rank': 1}, {'model': \"model_1\", 'rank': 2},]",
        };
        yield return Rank("alpaca_eval_gpt4", Ranking, "model_name: gpt-4, max_tokens: 100, temperature: 0");
        yield return Rank("alpaca_eval_gpt4_0314", Ranking, "model_name: gpt-4-0314, max_tokens: 100, temperature: 0");
        yield return Rank("alpaca_eval_gpt4_0613", Ranking, "model_name: gpt-4-0613, max_tokens: 100, temperature: 0");
        yield return Rank("alpaca_eval_llama3_70b_fn", Ranking, "model_name: meta-llama/Llama-3-70b-chat-hf, max_new_tokens: 100, temperature: 0", "vllm_local_completions");
        yield return Rank("alpaca_eval_vllm_llama3_70b_fn", Ranking, "model_name: meta-llama/Meta-Llama-3-70B-Instruct, max_tokens: 100, temperature: 0, price_per_token: 9e-7, requires_chatml: true, client_kwargs: {base_url: 'http://localhost:8000/v1', api_key: token-abc123}");
        yield return Rank("aviary_gpt4", "aviary_gpt4/ranking.txt", "model_name: gpt-4, max_tokens: 100, temperature: 0") with { More = "  is_randomize_output_order: false\n" };
        yield return Rank("improved_aviary_gpt4", "aviary_gpt4/ranking.txt", "model_name: gpt-4, max_tokens: 100, temperature: 0");
        yield return Rank("claude_ranking", "claude_ranking/ranking.plain.txt", "model_name: claude-2, max_tokens_to_sample: 100, temperature: 0, client_function_name: completions", "anthropic_completions");
        yield return Rank("claude_3_opus_ranking", Ranking, "model_name: claude-3-opus-20240229, max_tokens_to_sample: 100, temperature: 0, client_function_name: messages, price_per_token: 15e-6", "anthropic_completions");
        yield return Rank("gpt-3.5-turbo-1106_ranking", Ranking, "model_name: gpt-3.5-turbo-1106, max_tokens: 100, temperature: 0");
        yield return Rank("mistral-large-2402_ranking", Ranking, "model_name: mistral-large-2402, max_tokens: 100, temperature: 0, price_per_token: 8e-6, requires_chatml: true");
    }

    private static IEnumerable<Entry> Logprobs()
    {
        Entry Token(string folder, string arguments, string first, string second, bool binary, bool thinks) => new(folder, folder, thinks ? MoreTokens : OneToken)
        {
            Arguments = $"{arguments}, max_tokens: {(thinks ? 300 : 1)}, logprobs: true, top_logprobs: 5",
            Parser = "logprob_parser",
            ParserArguments = $"numerator_token: '{first}', denominator_tokens: ['{first}', '{second}'], is_binarize: {(binary ? "true" : "false")}{(thinks ? ", log_prob_index: -1" : "")}",
            CompletionKey = "completions_all",
            First = Choice(first, second, thinks),
            Second = Choice(second, first, thinks),
        };
        yield return Token("gpt4_turbo_clf", "model_name: gpt-4-1106-preview, temperature: 0", "A", "B", true, false);
        yield return Token("gpt4_turbo_cot_clf", "model_name: gpt-4-1106-preview, temperature: 0", "A", "B", true, true);
        yield return Token("gpt4_turbo_logprob", "model_name: gpt-4-1106-preview, temperature: 1", "A", "B", false, false);
        yield return Token("gpt4_turbo_cot_logprob", "model_name: gpt-4-1106-preview, temperature: 1", "A", "B", false, true);
        yield return Token("alpaca_eval_clf_gpt4_turbo", "model_name: gpt-4-1106-preview, temperature: 0", "m", "M", true, false);
        yield return Token("alpaca_eval_clf_cot_gpt4_turbo", "model_name: gpt-4-1106-preview, temperature: 0", "m", "M", true, true);
        yield return Token("weighted_alpaca_eval_gpt4_turbo", "model_name: gpt-4-1106-preview, temperature: 1", "m", "M", false, false);
        yield return Token("weighted_alpaca_eval_gpt4_turbo_new", "model_name: gpt-4-turbo-2024-04-09, temperature: 1", "m", "M", false, false) with { HasBatch = false };
        yield return Token("weighted_alpaca_eval_cot_gpt4_turbo", "model_name: gpt-4-1106-preview, temperature: 1", "m", "M", false, true);
        yield return Token("weighted_alpaca_eval_gpt-4o-mini-2024-07-18", "model_name: gpt-4o-mini-2024-07-18, temperature: 1", "m", "M", false, false) with { HasBatch = false };
        yield return Token("weighted_alpaca_eval_gpt4.1", "model_name: gpt-4.1-2025-04-14", "m", "M", false, false);
        yield return Token("weighted_alpaca_eval_vllm_llama3_70b", "model_name: meta-llama/Meta-Llama-3-70B-Instruct, temperature: 1, requires_chatml: true, client_kwargs: {base_url: 'http://localhost:8000/v1'}", "m", "M", false, false);
    }

    private static IEnumerable<Entry> Functions()
    {
        Entry Function(string folder, string prompt, string model, string first, string second, string more) => new(folder, folder, prompt)
        {
            Arguments = $"model_name: {model}, max_tokens: 300, temperature: 0, tool_choice: {{type: function, function: {{name: make_leaderboard}}}}, tools: [{{type: function, function: {{name: make_leaderboard, description: Ranks., parameters: {{type: object, properties: {{ordered_models: {{type: array}}}}, required: [ordered_models]}}}}}}]",
            Parser = "pipeline_meta_parser",
            ParserArguments = $"parsers_to_kwargs: {{json_parser: {{annotation_key: ordered_models}}, ranking_parser: {{model_1_name: {first}}}}}",
            More = more,
            First = $$"""{"concise_explanation": "Because.", "ordered_models": [{"model": "{{first}}", "rank": 1}, {"model": "{{second}}", "rank": 2}]}""",
            Second = $$"""{"concise_explanation": "Because.", "ordered_models": [{"model": "{{second}}", "rank": 1}, {"model": "{{first}}", "rank": 2}]}""",
        };
        const string Thinks = "  processors_to_kwargs: {ChainOfThoughtProcessor: {}}\n";
        yield return Function("alpaca_eval_gpt4_fn", "alpaca_eval_gpt4_fn/alpaca_eval_fn.txt", "gpt-4", "model_1", "model_2", "");
        yield return Function("alpaca_eval_gpt4_turbo_fn", "alpaca_eval_gpt4_turbo_fn/alpaca_eval_fn.txt", "gpt-4-1106-preview", "m", "M", Thinks);
        yield return Function("alpaca_eval_cot_gpt4_turbo_fn", "alpaca_eval_gpt4_turbo_fn/alpaca_eval_fn.txt", "gpt-4-1106-preview", "m", "M", Thinks);
    }

    private static IEnumerable<Entry> Scores()
    {
        Entry Score(string folder, string more) => new(folder, folder, "lmsys_gpt4/scores.txt")
        {
            Arguments = "model_name: gpt-4, max_tokens: 1024, temperature: 0.2",
            Parser = "lmsys_parser",
            More = more,
            First = "9 7\nThe first is better.",
            Second = "7.5,8\nThe second is better.",
        };
        yield return Score("lmsys_gpt4", "  is_randomize_output_order: false\n");
        yield return Score("improved_lmsys_gpt4", "");
    }

    private static string Choice(string sure, string other, bool thinks)
    {
        string last = $$$"""{"token":"{{{sure}}}","logprob":0.0,"top_logprobs":[{"token":"{{{sure}}}","logprob":0.0},{"token":"{{{other}}}","logprob":-100.0},{"token":"x","logprob":-1.0}]}""";
        string before = thinks ? """{"token":"Hm","logprob":-0.5,"top_logprobs":[{"token":"Hm","logprob":-0.5}]},""" : "";
        return $$$"""{"index":0,"finish_reason":"length","logprobs":{"content":[{{{before}}}{{{last}}}]},"message":{"role":"assistant","content":"{{{sure}}}"},"text":"{{{sure}}}"}""";
    }

    /// <summary>One annotator: what stands in its YAML, and replies that prefer the first and the second output.</summary>
    internal sealed record Entry(string Folder, string Name, string Prompt)
    {
        public string Decoder { get; init; } = "openai_completions";

        public string Arguments { get; init; } = "";

        public string? Parser { get; init; }

        public string? ParserArguments { get; init; }

        public string? CompletionKey { get; init; }

        public int Batch { get; init; } = 1;

        public bool HasBatch { get; init; } = true;

        public string More { get; init; } = "";

        public string First { get; init; } = "";

        public string Second { get; init; } = "";

        public string Yaml => string.Concat(
            $"{Name}:\n  prompt_template: \"{Prompt}\"\n  fn_completions: \"{Decoder}\"\n  completions_kwargs: {{{Arguments}}}\n",
            Parser is null ? "" : $"  fn_completion_parser: \"{Parser}\"\n",
            ParserArguments is null ? "" : $"  completion_parser_kwargs: {{{ParserArguments}}}\n",
            CompletionKey is null ? "" : $"  completion_key: \"{CompletionKey}\"\n",
            HasBatch ? $"  batch_size: {Batch}\n" : "",
            More);
    }
}
