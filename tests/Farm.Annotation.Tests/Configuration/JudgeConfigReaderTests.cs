using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Prompts;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Configuration;

public sealed class JudgeConfigReaderTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Refused(Action action) => Assert.Throws<BadInputException>(action).Message;

    [Fact]
    public void Should_read_every_key_in_the_YAML_that_PyYAML_reads()
    {
        _folder.Write("other/shared.txt", "<|im_start|>user\r\n{instruction}{output_1}{output_2}{instruction}{output_1}{output_2}\r<|im_end|>");
        string folder = _folder.Judge("""
            # a pool of two
            one : &base
              prompt_template: "other/shared.txt"
              fn_completions: "anthropic_completions"
              completions_kwargs: {model_name: "claude-v1", max_tokens_to_sample: 50, temperature: 0, price_per_token: 9e-6}
              fn_completion_parser: "regex_parser"
              completion_parser_kwargs:
                outputs_to_match:
                  1: '(?:^|\n) ?Output \(a\)'
                  2: '(?:^|\n) ?Output \(b\)'
              completion_key: completions
              batch_size: 2
              is_shuffle: no
              is_randomize_output_order: Off
              random_seed_column: ["output_2", "instruction"]
              processors_to_kwargs:
                JsonKeysToColumnProcessor: {json_keys_to_keep: [a]}
              is_add_default_processors: true
              packages_for_which_to_show_version: null
              prfx_to_completion_cols: "{annotation_column}__"
              pretty_name: "One"
              link: "https://example.org"
            two:
              <<: *base
              fn_completions: openai_completions
              completions_kwargs: {model_name: gpt-4}
            """);
        var pool = JudgeConfigReader.Read(folder);
        Assert.Equal(["one", "two"], pool.Select(c => c.Name));
        var one = pool[0];
        Assert.Equal("judge", one.Pool);
        Assert.Equal("<|im_start|>user\n{instruction}{output_1}{output_2}{instruction}{output_1}{output_2}\n<|im_end|>", one.Template.Text);
        Assert.Equal("anthropic_completions", one.FnCompletions);
        Assert.Equal("9e-6", one.CompletionsKwargs["price_per_token"]);
        Assert.Equal([1L, 2L], ((OrderedDictionary<object, object?>)one.CompletionParserKwargs["outputs_to_match"]!).Keys);
        Assert.Equal((2, false, false, false), (one.BatchSize, one.IsShuffle, one.IsRandomizeOutputOrder, one.ShowVersion));
        Assert.Equal(["instruction", "output_2"], one.RandomSeedColumn);
        Assert.Equal("preference__", one.ColumnPrefix);
        Assert.Equal("One", one.PrettyName);
        Assert.Equal("gpt-4", pool[1].ModelName);
        Assert.NotEqual(one.Hash(), pool[1].Hash());
        Assert.Equal(one.Hash(), JudgeConfigReader.Read(folder)[0].Hash());
    }

    [Theory]
    [InlineData("prompt_template:", "promt_template:", "unknown key 'promt_template'")]
    [InlineData("fn_completions: \"openai_completions\"", "fn_completions: \"open_completions\"", "unknown name 'open_completions'")]
    [InlineData("  fn_completions", "  seed: 1\n  fn_completions", "the key 'seed' is set by the pool")]
    [InlineData("judge/prompt.txt", "judge/other.txt", "other.txt does not exist")]
    [InlineData("  fn_completions", "  batch_size: 2\n  fn_completions", "the slot {instruction} occurs once where batch_size 2 needs it 2 times")]
    [InlineData("  fn_completions", "  batch_size: 0\n  fn_completions", "must be at least 1")]
    [InlineData("  fn_completions", "  is_shuffle: 3\n  fn_completions", "must be true or false")]
    [InlineData("judge:\n", "judge: [\n", "is not YAML: line")]
    [InlineData("  fn_completions", "  processors_to_kwargs: {Magic: {}}\n  fn_completions", "unknown processor 'Magic'")]
    public void Should_say_what_is_wrong_with_a_configuration(string from, string to, string sentence)
    {
        string message = Refused(() => JudgeConfigReader.Read(_folder.Judge(Folder.RegexConfig.Replace(from, to, StringComparison.Ordinal))));
        Assert.Contains(sentence, message, StringComparison.Ordinal);
        Assert.Contains("judge", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{output_1}{output_1}{output_2}", "the slot {output_1} occurs 2 times where batch_size 1 needs it once")]
    [InlineData("{instruction}{output_1}", "the slot {output_2} occurs 0 times")]
    [InlineData("{output_1}{output_2}{answer}", "the slot {answer} is unknown")]
    public void Should_count_the_slots_of_a_template(string template, string sentence) =>
        Assert.Contains(sentence, Refused(() => JudgeConfigReader.Read(_folder.Judge(prompt: template))), StringComparison.Ordinal);

    [Fact]
    public void Should_name_the_file_of_a_folder_without_configs_yaml()
    {
        _folder.Judge();
        File.Move(_folder.File("judge/configs.yaml"), _folder.File("judge/config.yaml"));
        Assert.Contains("the folder has config.yaml, which can be given by its own path", Refused(() => JudgeConfigReader.Read(_folder.File("judge"))), StringComparison.Ordinal);
        Assert.Equal("judge", JudgeConfigReader.Read(_folder.File("judge/config.yaml"))[0].Name);
        Assert.Contains("does not exist", Refused(() => JudgeConfigReader.Read(_folder.File("nowhere"))), StringComparison.Ordinal);
        Assert.Contains("does not exist: give a folder", Refused(() => JudgeFolders.Read("no_such_judge")), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_take_AlpacaFarms_old_form_with_two_templates()
    {
        _folder.Write("judge/with.txt", "<|im_start|>user\nIN {instruction} ON {input} A {output_1} B {output_2}<|im_end|>");
        var config = JudgeConfigReader.Read(_folder.Judge(Folder.RegexConfig.Replace("\"judge/prompt.txt\"", "{with_inputs: judge/with.txt, without_inputs: judge/prompt.txt}", StringComparison.Ordinal)))[0];
        var judge = new ConfiguredJudge(config, null);
        Assert.Contains("IN i ON x A a B b", judge.Prompt([new ShownPair("i\n\nx", "a", "b", new PairRow("i", "a", "b", "x"))]), StringComparison.Ordinal);
        Assert.Contains("user\ni\n1: a", judge.Prompt([new ShownPair("i", "a", "b", new PairRow("i", "a", "b", ""))]), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_load_every_judge_that_comes_with_Farm()
    {
        Assert.NotEmpty(JudgeFolders.Names);
        foreach (string name in JudgeFolders.Names)
        {
            foreach (var config in JudgeFolders.Read(name))
            {
                var judge = new ConfiguredJudge(config, null, new CostLedger(1));
                var pairs = Enumerable.Range(0, config.BatchSize).Select(i => new ShownPair($"i{i}", $"a{i}", $"b{i}", null)).ToList();
                string body = judge.Prepare(pairs).Body;
                Assert.Contains(config.ModelName!, body, StringComparison.Ordinal);
                Assert.All(pairs, p => Assert.Contains(p.Output2, body, StringComparison.Ordinal));
            }
        }
    }

    [Fact]
    public void Should_say_that_a_decoder_needs_a_server()
    {
        var configs = JudgeConfigReader.Read(_folder.Judge(Folder.RegexConfig.Replace("openai_completions", "cohere_completions", StringComparison.Ordinal)));
        Assert.Contains("uses cohere_completions: give an OpenAI-compatible server", Refused(() => JudgePool.Create(configs, _ => throw new InvalidOperationException(), hasEndpoint: false)), StringComparison.Ordinal);
        Assert.Single(JudgePool.Create(configs, _ => new FixedCompletionClient("first"), hasEndpoint: true));
    }

    [Fact]
    public void Should_say_that_favoured_words_need_a_vocabulary_and_use_it()
    {
        var configs = JudgeConfigReader.Read(_folder.Judge(Folder.RegexConfig.Replace("max_tokens: 10", "max_tokens: 10\n    tokens_to_favor: ['ab']\n    tokens_to_avoid: ['a', 'abab']", StringComparison.Ordinal)));
        Assert.Contains("--tiktoken", Refused(() => JudgePool.Create(configs, _ => new FixedCompletionClient(""), true)), StringComparison.Ordinal);
        string file = _folder.Write("v.tiktoken", "YQ== 0\nYg== 1\nYWI= 2\n");
        var judge = JudgePool.Create(configs, _ => new FixedCompletionClient(""), true, null, TiktokenVocabulary.Read(file).Bias)[0];
        Assert.Contains("""
            "logit_bias":{"0":-100,"2":7}
            """, judge.Prepare([ShownPair.Padding]).Body, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_need_a_price_for_a_cost_limit()
    {
        var config = JudgeConfigReader.Read(_folder.Judge(Folder.RegexConfig.Replace("gpt-4", "some-model", StringComparison.Ordinal)))[0];
        Assert.Contains("set price_per_token", Refused(() => _ = new ConfiguredJudge(config, null, new CostLedger(1))), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_fill_slot_after_slot_even_inside_what_was_filled_in()
    {
        var template = PromptTemplate.Create("t", "{instruction}|{output_1}|{output_2}", 1);
        Assert.Equal("say A|{output_1}|B", template.Fill([slot => slot switch { "instruction" => "say {output_1}", "output_1" => "A", _ => "B" }]));
        var two = PromptTemplate.Create("t", "{output_1}{output_2};{output_1}{output_2}{ not one}", 2);
        Assert.Equal("ab;cd{ not one}", two.Fill([s => s == "output_1" ? "a" : "b", s => s == "output_1" ? "c" : "d"]));
    }

    [Fact]
    public void Should_read_chat_messages()
    {
        var messages = ChatMl.Parse("\n<|im_start|>system name=example_user x=1\nBe kind.\n<|im_end|>\n<|im_start|>user\n a <|im_end|> lost\n<|im_start|>assistant\n<|im_end|>\n");
        Assert.Equal([("system", "Be kind."), ("user", "a"), ("assistant", "")], messages.Select(m => (m.Role, m.Content)));
        Assert.Equal([KeyValuePair.Create("name", "example_user"), KeyValuePair.Create("x", "1")], messages[0].Fields);
        Assert.Contains("must begin with", Refused(() => ChatMl.Parse("hello")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-4", true)]
    [InlineData("gpt-3.5-turbo-1106", true)]
    [InlineData("gpt-3.5-turbo-instruct", false)]
    [InlineData("Meta-Llama-3-70B-Instruct", true)]
    [InlineData("text-davinci-003", false)]
    public void Should_know_which_models_take_chats(string model, bool isChat) => Assert.Equal(isChat, RequestBody.IsChatModel(model));
}
