using System.Text;
using Farm.Annotation.Annotating;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;

namespace Parity.Annotations;

/// <summary>AlpacaEval's published annotations, made in 2023 and 2024 by its own code from replies of GPT-4.</summary>
public sealed class StoredRepliesTests : IDisposable
{
    private const string Weighted = """
        weighted_alpaca_eval_gpt4_turbo:
          prompt_template: "judge/prompt.txt"
          completions_kwargs: {model_name: "gpt-4-1106-preview", max_tokens: 1, temperature: 1, logprobs: true, top_logprobs: 5}
          fn_completion_parser: "logprob_parser"
          completion_parser_kwargs: {numerator_token: "m", denominator_tokens: ["m", "M"], is_binarize: false}
          completion_key: "completions_all"
        """;

    private const string FunctionCall = """
        alpaca_eval_cot_gpt4_turbo_fn:
          prompt_template: "judge/prompt.txt"
          completions_kwargs: {model_name: "gpt-4-1106-preview", max_tokens: 300, temperature: 0}
          fn_completion_parser: "pipeline_meta_parser"
          completion_parser_kwargs:
            parsers_to_kwargs:
              json_parser: {annotation_key: "ordered_models"}
              ranking_parser: {model_1_name: "m"}
          processors_to_kwargs: {ChainOfThoughtProcessor: {}}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("farm-parity-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private ConfiguredJudge Judge(string yaml)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "judge"));
        File.WriteAllText(Path.Combine(_folder, "judge", "configs.yaml"), yaml);
        File.WriteAllText(Path.Combine(_folder, "judge", "prompt.txt"), "<|im_start|>user\n{instruction}{output_1}{output_2}<|im_end|>");
        return new ConfiguredJudge(JudgeConfigReader.Read(Path.Combine(_folder, "judge"))[0], null);
    }

    private static string Annotations(string judge) => Shared.Path("data", "alpaca_eval", "results", "alpaca-7b", judge, "annotations.json");

    [Theory]
    [InlineData("weighted_alpaca_eval_gpt4_turbo", Weighted)]
    [InlineData("alpaca_eval_cot_gpt4_turbo_fn", FunctionCall)]
    public void Should_make_every_stored_preference_of_its_stored_reply(string name, string yaml)
    {
        var judge = Judge(yaml);
        int replies = 0;
        foreach (var judgment in AnnotationRows.Read(Annotations(name)))
        {
            if (StoredReplies.Read(judge, judgment) is { } verdict)
            {
                replies++;
                Assert.NotNull(verdict.Preference);
                // Files hold ten decimals, of the log probabilities too.
                Assert.Equal(judgment.Preference!.Value, verdict.Preference.Value, 2e-10);
            }
            else
            {
                Assert.Equal(judgment.Output1, judgment.Output2);
                Assert.Equal(1.5, judgment.Preference);
            }
        }

        Assert.Equal(802, replies);
    }

    [Fact]
    public void Should_name_the_models_that_the_stored_explanations_name()
    {
        var judge = Judge(FunctionCall);
        foreach (var judgment in AnnotationRows.Read(Annotations("alpaca_eval_cot_gpt4_turbo_fn")).Where(j => j.RawCompletion is not null))
        {
            var columns = judge.Columns(judgment.RawCompletion!.Value, judgment.Preference).ToDictionary(c => c.Key, c => c.Value);
            Assert.Equal(JsonRow.From(judgment.Extras["referenced_models"]).OrderBy(f => f.Key).Select(f => (f.Key, f.Value.GetString())), JsonRow.From(columns["referenced_models"]).OrderBy(f => f.Key).Select(f => (f.Key, f.Value.GetString())));
        }
    }

    [Theory]
    [InlineData("weighted_alpaca_eval_gpt4_turbo/annotations.json")]
    [InlineData("alpaca_eval_cot_gpt4_turbo_fn/annotations.json")]
    [InlineData("alpaca_eval_gpt4/annotations.json")]
    [InlineData("model_outputs.json")]
    public void Should_write_files_back_byte_for_byte(string name)
    {
        string path = Shared.Path("data", "alpaca_eval", "results", "alpaca-7b", name);
        byte[] file = File.ReadAllBytes(path);
        string written = name == "model_outputs.json"
            ? PandasJson.Write(RowFile.Read(path))
            : PandasJson.Write(AnnotationRows.Read(path).Select(AnnotationRows.ToRow));
        Assert.Equal(file, Encoding.UTF8.GetBytes(written));
    }

    [Fact]
    public async Task Should_use_the_published_annotations_instead_of_asking()
    {
        var judge = Judge(Weighted);
        using var journal = Farm.Annotation.Journaling.AnnotationJournal.Open(Path.Combine(_folder, "j.db"));
        string path = Annotations("weighted_alpaca_eval_gpt4_turbo");
        Assert.Equal((802, 3), await Farm.Annotation.Journaling.AlpacaEvalCache.ImportAsync(journal, path, [judge], 0));
        var stored = AnnotationRows.Read(path);
        var results = await new PairwiseAnnotator(judge, new AnnotatorOptions { Journal = journal }).AnnotatePairsAsync(stored.Select(j => new PairRow(j.Instruction, j.Output1, j.Output2)));
        Assert.Equal(stored.Select(j => j.Preference), results.Select(r => r.Preference));
    }
}
