using System.Text.Json;
using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Configuration;

/// <summary>Every folder of alpaca_eval's shape loads, is asked as it says, and its replies are read as it says.</summary>
public sealed class AlpacaEvalFoldersTests : IDisposable
{
    private static readonly string[] s_ownArguments =
        ["max_tokens_to_sample", "max_new_tokens", "tokens_to_favor", "tokens_to_avoid", "price_per_token", "requires_chatml", "client_kwargs", "client_function_name", "model_kwargs", "is_chatml_prompt", "model_name"];

    private readonly Folder _folder = new();

    public AlpacaEvalFoldersTests() => AlpacaEvalFolders.Write(_folder);

    public void Dispose() => _folder.Dispose();

    private IReadOnlyList<JudgeConfig> Read(string folder) => JudgeConfigReader.Read(_folder.File(folder == AlpacaEvalFolders.NoConfigs ? $"{folder}/config.yaml" : folder));

    private JudgeConfig[] All() => [.. AlpacaEvalFolders.All.Select(e => e.Folder).Distinct().SelectMany(Read)];

    [Fact]
    public void Should_load_all_57_annotators_of_45_folders()
    {
        var all = All();
        Assert.Equal((45, 57), (AlpacaEvalFolders.All.Select(e => e.Folder).Distinct().Count(), all.Length));
        Assert.Equal(AlpacaEvalFolders.All.Select(e => (e.Name, e.Decoder, e.Batch)), all.Select(c => (c.Name, c.FnCompletions, c.BatchSize)));
        // How often alpaca_eval's files use each parser and setting.
        Assert.Equal([("regex_parser", 29), ("logprob_parser", 12), ("ranking_parser", 11), ("pipeline_meta_parser", 3), ("lmsys_parser", 2)], all.CountBy(c => c.FnCompletionParser).OrderByDescending(c => c.Value).Select(c => (c.Key, c.Value)));
        var arguments = all.SelectMany(c => c.CompletionsKwargs.Keys).CountBy(k => (string)k).ToDictionary();
        foreach (var (name, count) in new[]
        {
            ("model_name", 57), ("temperature", 54), ("max_tokens", 47), ("logprobs", 12), ("top_logprobs", 12), ("max_tokens_to_sample", 6), ("tokens_to_avoid", 5), ("tokens_to_favor", 5), ("max_new_tokens", 4),
            ("tool_choice", 4), ("tools", 4), ("requires_chatml", 3), ("price_per_token", 3), ("model_kwargs", 2), ("client_kwargs", 2), ("client_function_name", 2), ("is_chatml_prompt", 1), ("top_p", 1), ("batch_size", 1),
        })
        {
            Assert.Equal((name, count), (name, arguments[name]));
        }

        Assert.Equal((12, 2, 2), (all.Count(c => c.CompletionKey == "completions_all"), all.Count(c => c.ProcessorsToKwargs.Count > 0), all.Count(c => !c.IsRandomizeOutputOrder)));
        Assert.All(all.Where(c => c.FnCompletionParser == "regex_parser"), c => Assert.True(c.CompletionParserKwargs.ContainsKey("outputs_to_match")));
    }

    [Fact]
    public void Should_ask_every_one_as_its_arguments_say()
    {
        foreach (var judge in JudgePool.Create(All(), _ => new FixedCompletionClient("x"), hasEndpoint: true))
        {
            var pairs = Enumerable.Range(0, judge.BatchSize).Select(i => new ShownPair($"instruction {i}", $"first {i}", $"second {i}", null)).ToList();
            using var body = JsonDocument.Parse(judge.Prepare(pairs).Body);
            var root = body.RootElement;
            Assert.Equal(judge.Config.ModelName, root.GetProperty("model").GetString());
            Assert.All(s_ownArguments, a => Assert.False(root.TryGetProperty(a, out _), $"{judge.Name}: {a}"));
            long most = judge.Config.CompletionsKwargs.Where(k => k.Key is "max_tokens" or "max_tokens_to_sample" or "max_new_tokens").Select(k => (long)k.Value!).Single();
            Assert.Equal(most, root.GetProperty("max_tokens").GetInt64());
            Assert.Equal(judge.Config.CompletionKey == "completions_all" ? 5 : 0, root.TryGetProperty("top_logprobs", out var top) ? top.GetInt32() : 0);
            Assert.Equal(judge.Config.CompletionsKwargs.ContainsKey("tools"), root.TryGetProperty("tools", out var tools) && tools[0].GetProperty("function").GetProperty("parameters").GetProperty("type").GetString() == "object");
            // The completion endpoint takes the old models' prompts, and ten of them at once.
            bool isOld = judge.Config.FnCompletions == "openai_completions" && judge.Config.ModelName is "text-davinci-003" or "gpt-3.5-turbo-instruct";
            Assert.Equal((isOld, isOld ? 10 : 1), (root.TryGetProperty("prompt", out var prompt), judge.PromptsPerRequest));
            string asked = isOld ? prompt.GetString()! : string.Concat(root.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("content").GetString()));
            Assert.All(pairs, p => Assert.True(asked.Contains(p.Output1, StringComparison.Ordinal) && asked.Contains(p.Output2, StringComparison.Ordinal), judge.Name));
            Assert.DoesNotContain("<|im_start|>", asked, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Should_bias_the_words_of_the_simulator_without_a_vocabulary_file()
    {
        var bodies = JudgePool.Create(Read("alpaca_farm"), _ => new FixedCompletionClient("x"), hasEndpoint: true)
            .ToDictionary(j => j.Name, j => JsonDocument.Parse(j.Prepare([.. Enumerable.Repeat(ShownPair.Padding, j.BatchSize)]).Body).RootElement);
        Assert.Equal(5, bodies.Values.Count(b => b.TryGetProperty("logit_bias", out var bias) && bias.EnumerateObject().Any(t => t.Value.GetInt32() == 7)));
        Assert.Equal("""{"7":7,"64":7,"8":7,"65":7}""", bodies["davinci003_1"].GetProperty("logit_bias").GetRawText());
        Assert.Equal((-100, 7), (bodies["gpt4_4"].GetProperty("logit_bias").GetProperty("21279").GetInt32(), bodies["gpt4_4"].GetProperty("logit_bias").GetProperty("5207").GetInt32()));
        Assert.False(bodies["gpt4_1"].TryGetProperty("logit_bias", out _));
    }

    [Fact]
    public void Should_read_the_replies_of_every_one()
    {
        foreach (var entry in AlpacaEvalFolders.All)
        {
            var judge = new ConfiguredJudge(Read(entry.Folder).Single(c => c.Name == entry.Name), null);
            foreach (var (reply, expected) in new[] { (entry.First, 1.0), (entry.Second, 2.0) })
            {
                var raw = entry.CompletionKey is null ? JsonRow.Value(reply) : JsonElement.Parse(reply);
                var verdicts = judge.Read(raw, entry.Batch);
                Assert.Equal(entry.Batch, verdicts.Count);
                Assert.All(verdicts, v => Assert.True(v.Preference is { } p && Math.Abs(p - expected) < 1e-12, $"{entry.Name}: {reply} gives {v}"));
                Assert.All(judge.Read(JsonRow.Value("I cannot say."), entry.Batch), v => Assert.True(v.Preference is null && v.Failure is not null, entry.Name));
            }
        }
    }

    [Fact]
    public void Should_keep_explanations_and_say_which_model_was_which()
    {
        var judge = new ConfiguredJudge(Read("alpaca_eval_cot_gpt4_turbo_fn")[0], null);
        var columns = judge.Columns(JsonRow.Value(AlpacaEvalFolders.All.Single(e => e.Name == judge.Name).Second), 1).ToDictionary();
        Assert.Equal("Because.", columns["concise_explanation"].GetString());
        Assert.Equal("""{"M":"output_1","m":"output_2"}""", columns["referenced_models"].GetRawText());
    }

    [Fact]
    public void Should_say_which_ones_need_a_server_named()
    {
        foreach (var config in All())
        {
            bool asksOpenAi = config.FnCompletions == "openai_completions";
            if (asksOpenAi)
            {
                Assert.Single(JudgePool.Create([config], _ => new FixedCompletionClient("x"), hasEndpoint: false));
                continue;
            }

            string message = Assert.Throws<BadInputException>(() => JudgePool.Create([config], _ => new FixedCompletionClient("x"), hasEndpoint: false)).Message;
            Assert.Equal($"Annotator '{config.Name}' uses {config.FnCompletions}: give an OpenAI-compatible server that has the model '{config.ModelName}' by --base-url or OPENAI_API_BASE.", message);
        }

        Assert.Contains("config.yaml, which can be given by its own path", Assert.Throws<BadInputException>(() => JudgeConfigReader.Read(_folder.File(AlpacaEvalFolders.NoConfigs))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_ask_the_server_that_an_annotator_names_itself()
    {
        var options = OpenAiOptions.FromEnvironment(judge: Read("alpaca_eval_vllm_llama3_70b_fn")[0]);
        var account = Assert.Single(options.AccountsOf("any"));
        Assert.Equal(("http://localhost:8000/v1", "token-abc123"), (account.Endpoint.ToString(), account.ApiKey));
        Assert.DoesNotContain("token-abc123", $"{account} {options}", StringComparison.Ordinal);
        var elsewhere = Assert.Single(OpenAiOptions.FromEnvironment("http://127.0.0.1:1/v1", judge: Read("alpaca_eval_vllm_llama3_70b_fn")[0]).AccountsOf("any"));
        Assert.Equal(("http://127.0.0.1:1/v1", "token-abc123"), (elsewhere.Endpoint.ToString(), elsewhere.ApiKey));
    }

    [Theory]
    [InlineData("  is_add_default_processors: false\n", null)]
    [InlineData("  processors_to_kwargs: {PaddingForBatchesProcessor: {padding_example: {instruction: say, output_1: x1, output_2: x2}}}\n", "x2")]
    [InlineData("", "3")]
    public void Should_fill_up_a_batch_as_the_configuration_says(string more, string? filling)
    {
        string yaml = AlpacaEvalFolders.All.Single(e => e.Folder == "alpaca_farm_greedy_gpt4").Yaml + more;
        Assert.Equal(filling, JudgeConfigReader.Read(Path.GetDirectoryName(_folder.Write("alpaca_farm_greedy_gpt4/configs.yaml", yaml))!)[0].Padding?.Output2);
    }

    [Theory]
    [InlineData("  processors_to_kwargs: {RandomSwitchTwoColumnsProcessor: {}}\n", "is what is_randomize_output_order and random_seed_column are for")]
    [InlineData("  processors_to_kwargs: {PaddingForBatchesProcessor: {batch_size: 2}}\n", "its batch_size is 2 where the annotator's is 5")]
    [InlineData("  processors_to_kwargs: {PaddingForBatchesProcessor: {padding_example: {instruction: say}}}\n", "the key 'output_1' is missing")]
    public void Should_refuse_processors_that_cannot_be_honoured(string more, string sentence)
    {
        string yaml = AlpacaEvalFolders.All.Single(e => e.Folder == "alpaca_farm_greedy_gpt4").Yaml + more;
        string folder = Path.GetDirectoryName(_folder.Write("alpaca_farm_greedy_gpt4/configs.yaml", yaml))!;
        Assert.Contains(sentence, Assert.Throws<BadInputException>(() => JudgeConfigReader.Read(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_refuse_rows_that_do_not_come_out_even_where_nothing_fills_up()
    {
        string yaml = AlpacaEvalFolders.All.Single(e => e.Folder == "alpaca_farm_greedy_gpt4").Yaml + "  is_add_default_processors: false\n";
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(Path.GetDirectoryName(_folder.Write("alpaca_farm_greedy_gpt4/configs.yaml", yaml))!)[0], new FixedCompletionClient("Output (a)"));
        var e = await Assert.ThrowsAsync<BadInputException>(() => new PairwiseAnnotator(judge).AnnotatePairsAsync(Enumerable.Range(0, 7).Select(i => new PairRow($"{i}", "a", "b"))));
        Assert.Contains("7 rows do not come out even", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_a_list_of_token_limits()
    {
        string yaml = AlpacaEvalFolders.All.Single(e => e.Folder == "gpt4").Yaml.Replace("max_tokens: 50", "max_tokens: [50, 60]", StringComparison.Ordinal);
        var config = JudgeConfigReader.Read(Path.GetDirectoryName(_folder.Write("gpt4/configs.yaml", yaml))!)[0];
        Assert.Contains("key 'max_tokens': must be one number", Assert.Throws<BadInputException>(() => new ConfiguredJudge(config, null)).Message, StringComparison.Ordinal);
    }
}
