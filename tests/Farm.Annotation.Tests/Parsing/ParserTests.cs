using System.Text.Json;
using Farm.Annotation.Configuration;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Parsing;

public sealed class ParserTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private ConfiguredJudge Judge(string parser, string settings, int batch = 1, string key = "completions")
    {
        string prompt = "<|im_start|>user\n" + string.Concat(Enumerable.Repeat("{instruction}{output_1}{output_2}", batch)) + "<|im_end|>";
        string folder = _folder.Judge($$"""
            judge:
              prompt_template: "judge/prompt.txt"
              completions_kwargs: {model_name: "gpt-4"}
              fn_completion_parser: "{{parser}}"
              completion_parser_kwargs: {{settings}}
              batch_size: {{batch}}
              completion_key: "{{key}}"
            """, prompt);
        return new ConfiguredJudge(JudgeConfigReader.Read(folder)[0], null);
    }

    private static JsonElement Text(string reply) => JsonSerializer.SerializeToElement(reply);

    private static Verdict One(ConfiguredJudge judge, string reply) => judge.Read(Text(reply), 1)[0];

    [Theory]
    [InlineData("Output (a)", 1.0)]
    [InlineData("I think\nOutput (b) it is", 2.0)]
    public void Should_read_a_pattern(string reply, double preference) =>
        Assert.Equal(preference, One(Judge("regex_parser", """{outputs_to_match: {1: '(?:^|\n) ?Output \(a\)', 2: '(?:^|\n) ?Output \(b\)'}}"""), reply).Preference);

    [Fact]
    public void Should_read_a_pattern_for_each_example_from_left_to_right()
    {
        var judge = Judge("regex_parser", """{outputs_to_match: {1: '\n\(a\)', 2: '\n\(b\)'}}""", 3);
        Assert.Equal([2.0, 1, 1], judge.Read(Text("x\n(b)\n(a)\n(a)"), 3).Select(v => v.Preference!.Value));
        Assert.All(judge.Read(Text("\n(b)\n(a)"), 3), v => Assert.Equal(FailureReason.WrongCount, v.Failure!.Reason));
    }

    [Fact]
    public void Should_match_a_caret_where_the_rest_begins()
    {
        var judge = Judge("regex_parser", """{outputs_to_match: {1: '^A', 2: '^B'}}""", 3);
        Assert.Equal([1.0, 2, 1], judge.Read(Text("ABA"), 3).Select(v => v.Preference!.Value));
    }

    [Theory]
    [InlineData("verdict: [[A]]", 1.0)]
    [InlineData("verdict: [[B]]", 2.0)]
    public void Should_take_brackets_for_a_character_class(string reply, double preference) =>
        Assert.Equal(preference, One(Judge("regex_parser", """{outputs_to_match: {1: "[[A]]", 2: "[[B]]"}}"""), reply).Preference);

    [Theory]
    [InlineData("[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}]", 1.0, null)]
    [InlineData("[\n    {\"model\": 'model_2', 'rank': 1}, # why\n    {'model': 'mo' 'del_1', 'rank': 2.0,},\n]", 2.0, null)]
    [InlineData("  [{'model': 'model_1', 'rank': 1}]", 1.0, null)]
    [InlineData("[{'model': 'model_1', 'rank': 3}]", null, FailureReason.BadRank)]
    [InlineData("[{'model': 'model_2', 'rank': 1}]", null, FailureReason.ModelNotRanked)]
    [InlineData("[{'rank': 1}]", null, FailureReason.MissingKey)]
    [InlineData("[{'model': 'model_1', 'rank': 1}] is my ranking", null, FailureReason.NotALiteral)]
    [InlineData("[{'model': 'model_1', 'rank': true}]", null, FailureReason.NotALiteral)]
    [InlineData("Sorry, I cannot", null, FailureReason.NotALiteral)]
    [InlineData("[{'model': 'model_1', 'rank': 1}", null, FailureReason.NotALiteral)]
    [InlineData("", null, FailureReason.EmptyReply)]
    public void Should_read_a_ranking(string reply, double? preference, FailureReason? failure)
    {
        var verdict = One(Judge("ranking_parser", "{}"), reply);
        Assert.Equal(preference, verdict.Preference);
        Assert.Equal(failure, verdict.Failure?.Reason);
    }

    [Theory]
    [InlineData("8 7\nbecause", 1.0)]
    [InlineData("7,8.5", 2.0)]
    [InlineData("7 7.0", 1.5)]
    [InlineData("8, 7", null)]
    [InlineData("8 7 6", null)]
    [InlineData("eight seven", null)]
    public void Should_read_two_scores(string reply, double? preference) => Assert.Equal(preference, One(Judge("lmsys_parser", "{}"), reply).Preference);

    [Theory]
    [InlineData("""{"pick": 2}""", 2.0, null)]
    [InlineData("Here:\n```json\n{\"pick\": 1}\n```", 1.0, null)]
    [InlineData("""{"pick": 3}""", null, FailureReason.OutOfRange)]
    [InlineData("""{"pick": "x"}""", null, FailureReason.NotANumber)]
    [InlineData("""{"choice": 1}""", null, FailureReason.MissingKey)]
    [InlineData("""{"pick": 1""", null, FailureReason.NotJson)]
    [InlineData("""{"pick": NaN}""", null, FailureReason.NotJson)]
    public void Should_read_a_key_of_JSON(string reply, double? preference, FailureReason? failure)
    {
        var verdict = One(Judge("json_parser", "{annotation_key: pick}"), reply);
        Assert.Equal(preference, verdict.Preference);
        Assert.Equal(failure, verdict.Failure?.Reason);
    }

    [Fact]
    public void Should_run_parsers_in_a_row_on_texts_and_on_objects_that_pandas_made_of_them()
    {
        var judge = Judge("pipeline_meta_parser", "{parsers_to_kwargs: {json_parser: {annotation_key: ordered_models}, ranking_parser: {model_1_name: m}}}");
        const string Reply = """{"concise_explanation":"x","ordered_models":[{"model":"M","rank":1},{"model":"m","rank":2}]}""";
        Assert.Equal(2, One(judge, Reply).Preference);
        using var document = JsonDocument.Parse(Reply);
        Assert.Equal(2, judge.Read(document.RootElement, 1)[0].Preference);
        Assert.Equal(FailureReason.NotJson, One(judge, "{\"ordered_models\":[{\"mod").Failure!.Reason);
        Assert.Equal(FailureReason.EmptyReply, One(judge, "").Failure!.Reason);
    }

    [Fact]
    public void Should_replace_whole_values()
    {
        var judge = Judge("pipeline_meta_parser", "{parsers_to_kwargs: {eval_parser: {}, replace_parser: {replacer: {A: 1, B: 2}}}}", 2);
        Assert.Equal([1.0, 2], judge.Read(Text("['A', 'B']"), 2).Select(v => v.Preference!.Value));
        Assert.Equal(FailureReason.NotANumber, judge.Read(Text("['A', 'C']"), 2)[1].Failure!.Reason);
    }

    [Theory]
    [InlineData("m", -0.1, "M", -2.4, 2 - 0.9088770389851438)]
    [InlineData("m", -0.1, "x", -2.4, 1.0)]
    [InlineData("M", -0.1, "x", -2.4, 2.0)]
    [InlineData("y", -0.1, "x", -2.4, null)]
    public void Should_weigh_log_probabilities(string first, double a, string second, double b, double? preference)
    {
        var judge = Judge("logprob_parser", "{numerator_token: m, denominator_tokens: [m, M], is_binarize: false}", key: "completions_all");
        var choice = JsonSerializer.SerializeToElement(new { logprobs = new { content = new[] { new { top_logprobs = new[] { new { token = first, logprob = a }, new { token = second, logprob = b } } } } } });
        var verdict = judge.Read(choice, 1)[0];
        Assert.Equal(preference is null, verdict.Preference is null);
        Assert.Equal(preference ?? 0, verdict.Preference ?? 0, 1e-12);
        Assert.Equal(preference is null ? FailureReason.NoTokenProbability : null, verdict.Failure?.Reason);
    }

    [Fact]
    public void Should_binarize_strictly_and_take_a_position_from_the_end()
    {
        var judge = Judge("logprob_parser", "{numerator_token: A, denominator_tokens: [A, B], log_prob_index: -1}", key: "completions_all");
        JsonElement Choice(double a, double b) => JsonSerializer.SerializeToElement(new { logprobs = new { content = new object[] { new { top_logprobs = Array.Empty<object>() }, new { top_logprobs = new[] { new { token = "A", logprob = a }, new { token = "B", logprob = b } } } } } });
        Assert.Equal(1, judge.Read(Choice(-1, -2), 1)[0].Preference);
        Assert.Equal(2, judge.Read(Choice(-1, -1), 1)[0].Preference);
        Assert.Equal(FailureReason.NoLogprobs, judge.Read(Text("A"), 1)[0].Failure!.Reason);
        using var bare = JsonDocument.Parse("""{"logprobs":null}""");
        Assert.Equal(FailureReason.NoLogprobs, judge.Read(bare.RootElement, 1)[0].Failure!.Reason);
    }

    [Theory]
    [InlineData("regex_parser", "{outputs_to_match: {1: 'a*', 2: b}}", "matches empty text")]
    [InlineData("regex_parser", "{outputs_to_match: {1: '(', 2: b}}", "is no regular expression")]
    [InlineData("regex_parser", "{}", "'outputs_to_match': is missing or empty")]
    [InlineData("json_parser", "{}", "json_parser needs 'annotation_key'")]
    [InlineData("logprob_parser", "{numerator_token: m}", "needs 'denominator_tokens'")]
    [InlineData("logprob_parser", "{numerator_token: m, denominator_tokens: [m], x: 1}", "unknown key 'x'")]
    [InlineData("replace_parser", "{replacer: {a: 1}}", "unknown name 'replace_parser'")]
    [InlineData("pipeline_meta_parser", "{parsers_to_kwargs: {magic: {}}}", "unknown parser 'magic'")]
    public void Should_refuse_faulty_settings_when_the_judge_is_loaded(string parser, string settings, string sentence) =>
        Assert.Contains(sentence, Assert.Throws<BadInputException>(() => Judge(parser, settings)).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_never_throw_nor_invent_a_number_on_hostile_replies()
    {
        ConfiguredJudge[] judges =
        [
            Judge("ranking_parser", "{}"), Judge("json_parser", "{annotation_key: a}"), Judge("eval_parser", "{}"), Judge("lmsys_parser", "{}"),
            Judge("pipeline_meta_parser", "{parsers_to_kwargs: {json_parser: {annotation_key: null}, ranking_parser: {}}}"),
        ];
        var random = new Random(5);
        const string Letters = "[]{}()'\"\\:,.#0129eE-+_ \n\tTrueNoneabmodelrank\u00e9\ud83d\ude00\0";
        for (int i = 0; i < 4000; i++)
        {
            string reply = new([.. Enumerable.Range(0, random.Next(40)).Select(_ => Letters[random.Next(Letters.Length)])]);
            foreach (var judge in judges)
            {
                var verdict = judge.Read(JsonSerializer.SerializeToElement(reply.Replace('\ud83d', 'x').Replace('\ude00', 'x')), 1)[0];
                Assert.True((verdict.Preference is null) != (verdict.Failure is null));
                Assert.True(verdict.Preference is null or >= 1 and <= 2);
            }
        }

        Assert.NotNull(One(judges[0], new string('[', 100_000)).Failure);
    }
}
