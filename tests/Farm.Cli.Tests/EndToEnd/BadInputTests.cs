using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>Bad input, through <see cref="Program.Main"/>: exit code 2, one sentence on standard error, nothing on standard output or in the output folder.</summary>
[Collection("console")]
public sealed class BadInputTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("-n must be at least 1, not 0", "-n", "0")]
    [InlineData("--temperature must be a number of at least 0, not -1", "--temperature", "-1")]
    [InlineData("--top-p must be above 0 and at most 1", "--top-p", "0")]
    [InlineData("--min-p must be from 0 to 1", "--min-p", "2")]
    [InlineData("--top-k must be at least 0", "--top-k", "-3")]
    [InlineData("--repetition-penalty must be above 0", "--repetition-penalty", "0")]
    [InlineData("--max-new-tokens must be at least 1", "--max-new-tokens", "0")]
    [InlineData("--batch-sequences must be at least 1", "--batch-sequences", "0")]
    [InlineData("--seed must be at least 0", "--seed", "-1")]
    [InlineData("--stop must not be empty", "--stop", "")]
    [InlineData("--threads must be from 1 to 1024", "--threads", "0")]
    [InlineData("--dtype must be f32, bf16 or int8, not 'f64'", "--dtype", "f64")]
    [InlineData("--device must be cpu, cuda", "--device", "cuda:x")]
    [InlineData("--device must be cpu, cuda, cuda: with the number of a GPU, or cuda-sim, not 'tpu'", "--device", "tpu")]
    [InlineData("--max-instances must be at least 1", "--max-instances", "0")]
    [InlineData("as a whole number", "-n", "many")]
    [InlineData("Did you mean --temperature?", "--temprature", "1")]
    public void Should_refuse_flags_out_of_range(string expected, params string[] flags)
    {
        string input = Rows.Write(_folder, 1);

        AssertRefused(expected, ["best-of-n", "--decoder", models.Decoder, "--scorer", models.Scorer, "--input", input, "--output", _folder.File("out.json"), .. flags]);
    }

    [Theory]
    [InlineData("""[{"instruction":"a"},{"instruction":""}]""", "in.json, row 2, field 'instruction': is empty")]
    [InlineData("[{\"instruction\":\"a\"},\n oops]", "in.json is not JSON: line 2, column 2")]
    public void Should_refuse_bad_files(string text, string expected) =>
        AssertRefused(expected, BestOfN(_folder.Write("in.json", text), _folder.File("out.json")));

    [Fact]
    public void Should_refuse_a_prompt_longer_than_the_context_and_name_its_row()
    {
        string input = _folder.Write("in.json", $$"""[{"instruction":"a"},{"instruction":"{{new string('x', 600)}}"}]""");

        AssertRefused("in.json, row 2: the prompt is ", BestOfN(input, _folder.File("out.json")));
    }

    [Fact]
    public void Should_find_an_output_that_cannot_be_written_before_models_are_opened()
    {
        string input = Rows.Write(_folder, 1), file = _folder.Write("file", "x");

        AssertRefused("cannot be written", ["best-of-n", "--decoder", "nowhere", "--scorer", "nowhere", "--input", input, "--output", Path.Combine(file, "out.json")]);
        AssertRefused("is a folder", ["best-of-n", "--decoder", "nowhere", "--scorer", "nowhere", "--input", input, "--output", _folder.Path]);
    }

    [Fact]
    public void Should_refuse_folders_that_are_not_the_model_asked_for()
    {
        string input = Rows.Write(_folder, 1), output = _folder.File("out.json");

        AssertRefused("nowhere: there is no such folder", ["decode", "--model", "nowhere", "--prompt", "a"]);
        AssertRefused("is not a reward model", ["best-of-n", "--decoder", models.Decoder, "--scorer", models.Decoder, "--input", input, "--output", output]);
        AssertRefused("reward_model", ["decode", "--model", models.Scorer, "--prompt", "a"]);
        AssertRefused("has neither tokenizer.model nor tokenizer.json", ["decode", "--model", models.WithoutTokenizer, "--prompt", "a"]);
    }

    [Fact]
    public void Should_refuse_a_tokenizer_that_does_not_match_the_vocabulary()
    {
        string model = CopyOf(models.Decoder);
        TinyModels.WriteTokenizer(model, firstSpecialId: 300);

        AssertRefused("vocab_size is 258", ["decode", "--model", model, "--prompt", "a"]);
    }

    [Fact]
    public void Should_refuse_damaged_weights()
    {
        string model = CopyOf(models.Decoder), weights = Path.Combine(model, "model.safetensors");
        byte[] whole = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, whole[..(whole.Length / 2)]);
        AssertRefused("model.safetensors", ["decode", "--model", model, "--prompt", "a"]);

        File.WriteAllBytes(weights, whole[..4]);
        AssertRefused("model.safetensors", ["decode", "--model", model, "--prompt", "a"]);

        byte[] notANumber = [.. whole];
        BitConverter.GetBytes(float.NaN).CopyTo(notANumber, whole.Length - 4);
        File.WriteAllBytes(weights, notANumber);
        string last = LastTensor(model);
        AssertRefused(last, ["decode", "--model", model, "--prompt", "a", "--dtype", "f32"]);
    }

    [Fact]
    public void Should_refuse_prompts_from_two_places_or_none()
    {
        AssertRefused("exactly one of", ["decode", "--model", models.Decoder]);
        AssertRefused("exactly one of", ["decode", "--model", models.Decoder, "--prompt", "a", "--prompt-ids", "1"]);
        AssertRefused("used as it is", ["decode", "--model", models.Decoder, "--prompt", "a", "--chat"]);
        AssertRefused("has no chat template", ["decode", "--model", models.Decoder, "--input", Rows.Write(_folder, 1), "--chat"]);
        AssertRefused("'vicuna' is not known", ["decode", "--model", models.Decoder, "--input", Rows.Write(_folder, 1), "--chat", "vicuna"]);
        AssertRefused("none.json does not exist", ["decode", "--model", models.Decoder, "--input", Rows.Write(_folder, 1), "--prompt-dict", "none.json"]);
        AssertRefused("'x' is not one", ["decode", "--model", models.Decoder, "--prompt-ids", "1,x"]);
        AssertRefused("outside the model's vocabulary of 258", ["decode", "--model", models.Decoder, "--prompt-ids", "1,258"]);
    }

    [Fact]
    public void Should_refuse_rows_that_cannot_be_ranked()
    {
        string uneven = _folder.Write("uneven.json", """[{"instruction":"a","output":["x","y"]},{"instruction":"b","output":["x"]}]""");
        string single = _folder.Write("single.json", """[{"instruction":"a","output":"x"}]""");
        string output = _folder.File("out.json");

        AssertRefused("uneven.json, row 2, field 'output': has 1 texts where row 1 has 2", ["rerank", "--scorer", models.Scorer, "--input", uneven, "--output", output]);
        AssertRefused("single.json, row 1, field 'output': must be a list", ["rerank", "--scorer", models.Scorer, "--input", single, "--output", output]);
        AssertRefused("--rerank-top-k must be from 1 to the 2", ["rerank", "--scorer", models.Scorer, "--max-instances", "1", "--input", uneven, "--output", output, "--rerank-top-k", "3"]);
    }

    [Fact]
    public void Should_refuse_missing_and_unknown_commands()
    {
        AssertRefused("farm needs a command", []);
        AssertRefused("farm bench needs a command", ["bench"]);
        AssertRefused("Did you mean decode?", ["decod"]);
        AssertRefused("'--model' is required", ["decode", "--prompt", "a"]);
        AssertRefused("no model shape 'huge'", ["bench", "make-model", "--shape", "huge", "--output", _folder.File("m")]);
    }

    /// <summary>The tensor whose bytes are the last of the file.</summary>
    private static string LastTensor(string model)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(model, "model.safetensors"));
        int length = checked((int)BitConverter.ToInt64(file));
        return JsonDocument.Parse(file.AsMemory(8, length)).RootElement.EnumerateObject()
            .Where(p => p.Name != "__metadata__")
            .MaxBy(p => p.Value.GetProperty("data_offsets")[1].GetInt64()).Name;
    }

    private static void AssertRefused(string expected, string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var (oldOutput, oldError) = (Console.Out, Console.Error);
        int exitCode;
        try
        {
            Console.SetOut(output);
            Console.SetError(error);
            exitCode = Program.Main(arguments);
        }
        finally
        {
            Console.SetOut(oldOutput);
            Console.SetError(oldError);
        }

        Assert.Contains(expected, error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, exitCode);
        Assert.Empty(output.ToString());
        Assert.InRange(error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 2);
    }

    private string[] BestOfN(string input, string output) =>
        ["best-of-n", "--decoder", models.Decoder, "--scorer", models.Scorer, "--input", input, "--output", output];

    private string CopyOf(string model)
    {
        string copy = Directory.CreateDirectory(_folder.File("model")).FullName;
        foreach (string file in Directory.GetFiles(model))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }
}
