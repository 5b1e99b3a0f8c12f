using Farm.Annotation.Baselines;
using Farm.Annotation.Data;
using Farm.Annotation.Replies;
using Farm.Annotation.Tests.Metrics;
using Farm.Annotation.Tests.Replies;
using Farm.Core;

namespace Farm.Annotation.Tests.Baselines;

public class ModelBaselineTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Should_have_AlpacaFarms_prompts()
    {
        Assert.Equal("Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\ni {input}\n\n### Response:", AlpacaPrompts.V0.Format("i {input}", ""));
        Assert.EndsWith("### Input:\n \n\n### Response:", AlpacaPrompts.V0.Format("i", " "), StringComparison.Ordinal);
        Assert.Same(AlpacaPrompts.Char500, AlpacaPrompts.Of("gpt-4-0314"));
        Assert.Same(AlpacaPrompts.Char1K, AlpacaPrompts.Of("gpt-3.5-turbo-0301"));
        Assert.Null(AlpacaPrompts.Of("some-model"));
        Assert.Equal(
            "<|im_start|>system\nYou are a helpful assistant that answers in less than 1000 characters.\n<|im_end|>\n<|im_start|>user\nBelow is an instruction that describes a task, paired with an input that provides further context. "
            + "Write a response that appropriately completes the request.\n\n### Instruction:\ni\n\n### Response:\n<|im_end|>",
            AlpacaPrompts.Char1K.Format("i", null));
    }

    [Fact]
    public async Task Should_write_rows_of_AlpacaFarms_form_and_report_failures()
    {
        string path = _scratch.Write("i.json", """[{"datasplit": "eval", "instruction": "a", "input": "", "dataset": "koala", "output": "old"}, {"instruction": "b", "dataset": "d", "datasplit": "eval"}, {"instruction": "mute", "dataset": "d", "datasplit": "eval"}]""");
        var rows = ModelBaseline.ReadRows(path);
        var client = new ScriptedClient((prompt, _) => prompt.Contains("mute", StringComparison.Ordinal) ? null : "out");
        var options = new BaselineOptions(AlpacaPrompts.Char1K, BaselineOptions.IsChatModel("gpt-3.5-turbo-0301", AlpacaPrompts.Char1K));
        var (outputs, failures) = await ModelBaseline.RunAsync(new Respondent(client, "gpt-3.5-turbo-0301"), path, rows, options, null, CancellationToken.None);
        Assert.Equal(
            """
            [
              {
                "instruction":"a",
                "input":"",
                "output":"out",
                "generator":"gpt-3.5-turbo-0301",
                "dataset":"koala",
                "datasplit":"eval"
              },
            """.ReplaceLineEndings("\n"),
            PandasJson.Write(outputs)[..(PandasJson.Write(outputs).IndexOf("},", StringComparison.Ordinal) + 2)]);
        Assert.Equal((2, $"{path}, row 3"), (outputs.Count, Assert.Single(failures).Place));
        var request = client.Requests.First();
        Assert.Equal(["system", "user"], request.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("role").GetString()));
        Assert.Equal((300, 0.7, 1), (request.GetProperty("max_tokens").GetInt32(), request.GetProperty("temperature").GetDouble(), request.GetProperty("top_p").GetDouble()));
    }

    [Fact]
    public async Task Should_ask_completion_models_with_plain_text()
    {
        string path = _scratch.Write("i.json", """[{"instruction": "a", "dataset": "d", "datasplit": "eval"}, {"instruction": "b", "dataset": "d", "datasplit": "eval"}]""");
        var client = new ScriptedClient((prompt, _) => prompt[^13..]);
        var rows = ModelBaseline.ReadRows(path, maxInstances: 1);
        var (outputs, _) = await ModelBaseline.RunAsync(
            new Respondent(client, "text-davinci-003"), path, rows, new BaselineOptions(AlpacaPrompts.V0, BaselineOptions.IsChatModel("text-davinci-003", AlpacaPrompts.V0)) { Generator = "d3" }, null, CancellationToken.None);
        Assert.Equal(("### Response:", "d3"), (Assert.Single(outputs).Text("output"), outputs[0].Text("generator")));
        Assert.True(client.Requests.Single().TryGetProperty("prompt", out _));
    }

    [Theory]
    [InlineData("""[{"instruction": "a", "datasplit": "eval"}]""", "row 1: the field 'dataset' is missing")]
    [InlineData("""[{"instruction": "a", "dataset": "d"}]""", "row 1: the field 'datasplit' is missing")]
    [InlineData("""[{"dataset": "d", "datasplit": "e"}]""", "row 1: the field 'instruction' is missing")]
    public void Should_name_missing_fields(string json, string reason) =>
        Assert.Contains(reason, Assert.Throws<BadInputException>(() => ModelBaseline.ReadRows(_scratch.Write("i.json", json))).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_load_a_prompt_dictionary_and_check_it()
    {
        var own = AlpacaPrompts.Load(_scratch.Write("p.json", """{"prompt_inputs": "{instruction}+{input}", "prompt_noinputs": "{instruction}"}"""));
        Assert.Equal(("a+b", "a"), (own.Format("a", "b"), own.Format("a", null)));
        Assert.Contains("'prompt_inputs': the template has no {input}", Assert.Throws<BadInputException>(() => AlpacaPrompts.Load(_scratch.Write("q.json", """{"prompt_inputs": "{instruction}", "prompt_noinputs": "{instruction}"}"""))).Message, StringComparison.Ordinal);
        Assert.Contains("'prompt_noinputs' must be a template", Assert.Throws<BadInputException>(() => AlpacaPrompts.Load(_scratch.Write("r.json", """{"prompt_inputs": "{instruction}{input}"}"""))).Message, StringComparison.Ordinal);
        Assert.Contains("is not JSON", Assert.Throws<BadInputException>(() => AlpacaPrompts.Load(_scratch.Write("s.json", "x"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_keep_both_models_answers_side_by_side()
    {
        string path = _scratch.Write("i.json", """[{"instruction": "a", "input": "in", "tag": 1.50}, {"instruction": "mute"}]""");
        var first = new ScriptedClient((prompt, _) => $" one: {prompt} ");
        var second = new ScriptedClient((prompt, _) => prompt.Contains("mute", StringComparison.Ordinal) ? null : "two");
        var (pairs, failures) = await ModelComparison.RunAsync(
            path,
            RowFile.Read(path),
            new ComparedModel(new Respondent(first, "m1"), null, "be brief", new Decoding()),
            new ComparedModel(new Respondent(second, "m2"), ChatFormat.Of("chatml"), null, new Decoding { MaxTokens = 5 }),
            4,
            null,
            CancellationToken.None);
        var pair = Assert.Single(pairs);
        Assert.Equal(["instruction", "input", "tag", "generator_1", "output_1", "generator_2", "output_2"], pair.Select(f => f.Key));
        Assert.Equal(("one: a\n\nin", "two", "m1", "m2"), (pair.Text("output_1"), pair.Text("output_2"), pair.Text("generator_1"), pair.Text("generator_2")));
        Assert.StartsWith("m2: server_error", Assert.Single(failures).Reason, StringComparison.Ordinal);
        Assert.Equal("be brief", first.Requests.First().GetProperty("messages")[0].GetProperty("content").GetString());
        var request = second.Requests.First(r => !r.GetProperty("prompt").GetString()!.Contains("mute", StringComparison.Ordinal));
        Assert.Equal("<|im_start|>user\na\n\nin<|im_end|>\n<|im_start|>assistant\n", request.GetProperty("prompt").GetString());
        Assert.Equal("<|im_end|>", request.GetProperty("stop")[0].GetString());
    }

    [Theory]
    [InlineData("llama-2", "<s>[INST] <<SYS>>\ns\n<</SYS>>\n\nu [/INST]", "<s>[INST] u [/INST]")]
    [InlineData("llama-3", "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nu<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nu<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")]
    [InlineData("mistral", "<s>[INST] s\n\nu [/INST]", "<s>[INST] u [/INST]")]
    [InlineData("zephyr", "<|system|>\ns</s>\n<|user|>\nu</s>\n<|assistant|>\n", "<|user|>\nu</s>\n<|assistant|>\n")]
    [InlineData("gemma", "<start_of_turn>user\ns\n\nu<end_of_turn>\n<start_of_turn>model\n", "<start_of_turn>user\nu<end_of_turn>\n<start_of_turn>model\n")]
    [InlineData("vicuna", "s USER: u ASSISTANT:", "USER: u ASSISTANT:")]
    [InlineData("none", "s\n\nu", "u")]
    public void Should_spell_conversations_as_the_models_learned_them(string format, string withSystem, string without)
    {
        Assert.Equal(withSystem, ChatFormat.Of(format).Format("u", "s").Text);
        Assert.Equal(without, ChatFormat.Of(format).Format("u").Text);
    }

    [Fact]
    public void Should_name_the_formats_when_asked_for_another() =>
        Assert.Contains("llama-2", Assert.Throws<BadInputException>(() => ChatFormat.Of("gpt")).Message, StringComparison.Ordinal);
}
