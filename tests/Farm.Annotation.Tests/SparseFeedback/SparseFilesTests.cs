using Farm.Annotation.SparseFeedback;
using Farm.Annotation.Tests.Metrics;
using Farm.Core;

namespace Farm.Annotation.Tests.SparseFeedback;

public class SparseFilesTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Should_write_feedback_as_the_csv_module_does_and_read_it_back()
    {
        SparseRanking[] rows = [new("p", "a, \"b\"", "nan", "line\nbreak", " space ", SparseVerdict.Second), new("p", "é", "in", "", "x\r\ny", SparseVerdict.Equal)];
        string text = SparseFiles.WriteRankings(rows);
        Assert.Equal("\"a, \"\"b\"\"\",nan,\"line\nbreak\", space ,(b)\r\né,in,,\"x\r\ny\",equal\r\n", text);
        var read = SparseFiles.ReadRankings(_scratch.Write("r.csv", text));
        Assert.Equal(rows.Select(r => r with { Place = "" }), read.Select(r => r with { Place = "" }));
    }

    [Fact]
    public void Should_read_ratings_with_and_without_a_header()
    {
        Assert.Equal(7, Assert.Single(SparseFiles.ReadRatings(_scratch.Write("a.csv", "i,nan,o,7\r\n"))).Score);
        Assert.Equal("7", Assert.Single(SparseFiles.ReadRatings(_scratch.Write("b.csv", "instruction,input,output,score\ni,,o,7\n"))).ScoreText);
    }

    [Theory]
    [InlineData("i,,o,seven\n", "row 1, field 'score': must be a number, not 'seven'")]
    [InlineData("i,,o,NaN\n", "row 1, field 'score': must be a number")]
    [InlineData("i,,o,7\ni,,o\n", "row 2: must have 4 fields")]
    [InlineData("", "has no rows")]
    [InlineData("i,,\"o,7\n", "never closed")]
    public void Should_name_what_is_wrong_with_ratings(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<BadInputException>(() => SparseFiles.ReadRatings(_scratch.Write("r.csv", text))).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_name_a_feedback_that_is_none() =>
        Assert.Contains("row 1, field 'feedback': must be (a), (b) or equal, not 'a'", Assert.Throws<BadInputException>(() => SparseFiles.ReadRankings(_scratch.Write("r.csv", "i,,x,y,a\n"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_refuse_input_files_without_a_header_or_in_another_encoding()
    {
        Assert.Contains("has no header: its first row must be instruction,input,response", Assert.Throws<BadInputException>(() => SparseFiles.ReadResponses(_scratch.Write("r.csv", "i,,o\n"))).Message, StringComparison.Ordinal);
        Assert.Contains("has no header", Assert.Throws<BadInputException>(() => SparseFiles.ReadPairs(_scratch["r.csv"])).Message, StringComparison.Ordinal);
        Assert.Contains("UTF-8", Assert.Throws<BadInputException>(() => SparseFiles.ReadResponses(_scratch.Write("l.csv", [.. "instruction,input,response\ncaf"u8, 0xE9, .. ",,x\n"u8]))).Message, StringComparison.Ordinal);
        Assert.Contains("UTF-16", Assert.Throws<BadInputException>(() => SparseFiles.ReadResponses(_scratch.Write("u.csv", [0xFE, 0xFF, 0, 65]))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("7\nbecause", 7)]
    [InlineData("1", 1)]
    [InlineData("3\r\nx", 3)]
    public void Should_read_ratings_from_the_first_line(string reply, int score) => Assert.Equal(score, SparseReplies.Rating(reply, out _));

    [Theory]
    [InlineData("5.")]
    [InlineData(" 5")]
    [InlineData("Rating: 5")]
    [InlineData("5/7")]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("8")]
    [InlineData("٣")]
    [InlineData("99999999999999999999")]
    public void Should_refuse_ratings_that_are_not_one_number(string reply)
    {
        Assert.Null(SparseReplies.Rating(reply, out string? failure));
        Assert.NotNull(failure);
    }

    [Theory]
    [InlineData("(a)", "(b)", SparseVerdict.First)]
    [InlineData("(b)", "(a)", SparseVerdict.Second)]
    [InlineData("(a)", "(a)", SparseVerdict.Equal)]
    [InlineData("(b)", "(b)", SparseVerdict.Equal)]
    [InlineData("(a) not (b)", "(b)", SparseVerdict.First)]
    [InlineData("(a)", "none", null)]
    [InlineData("", "", null)]
    public void Should_join_the_verdicts_of_both_orders(string reply, string swapped, SparseVerdict? verdict)
    {
        Assert.Equal(verdict, SparseReplies.Ranking(reply, swapped, out string? failure));
        Assert.Equal(verdict is null, failure is not null);
    }

    [Fact]
    public void Should_compare_ratings_with_rankings()
    {
        SparseRating[] ratings = [Rating("i", "nan", "x", 5), Rating("i", "", "x", 1), Rating("i", "", "y", 3), Rating("i", "", "z", 3)];
        SparseRanking[] rankings =
        [
            Ranking("x", "y", SparseVerdict.First), Ranking("x", "y", SparseVerdict.Second), Ranking("y", "x", SparseVerdict.First), Ranking("y", "z", SparseVerdict.Equal), Ranking("y", "unrated", SparseVerdict.First),
        ];
        var consistency = Consistency.Of(ratings, rankings);
        Assert.Equal((3, 4, 3), (consistency.Ratings, consistency.Rankings, consistency.Total));
        Assert.Equal([[1, 0, 0], [0, 1, 0], [0, 1, 0]], consistency.Matrix);
        Assert.Equal(200.0 / 3, consistency.Percent, 12);
    }

    [Fact]
    public void Should_make_win_rates_of_rankings_and_of_ratings()
    {
        var ranked = SparseWinRate.OfRankings([Ranking("x", "y", SparseVerdict.First), Ranking("x", "y", SparseVerdict.Second), Ranking("x", "y", SparseVerdict.Second), Ranking("x", "z", SparseVerdict.Equal)]);
        Assert.Equal((62.5, 4), (ranked.Percent, ranked.Total));
        Assert.Equal(196 * Math.Sqrt(((0.625 * 0.625) + (2 * 0.375 * 0.375) + (0.125 * 0.125)) / 3) / 2, ranked.ConfidenceInterval, 10);
        var rated = SparseWinRate.OfRatings(
            [Rating("a", "", "r", 3), Rating("a", "", "again", 7), Rating("b", "", "r", 3), Rating("c", "", "r", 3)],
            [Rating("b", "", "m", 3), Rating("a", "", "m", 4), Rating("d", "", "m", 1)]);
        Assert.Equal((75.0, 2), (rated.Percent, rated.Total));
    }

    [Fact]
    public void Should_pair_outputs_with_the_references_and_refuse_other_instructions()
    {
        string reference = _scratch.Write("r.json", """[{"instruction": "a", "output": "old"}, {"instruction": "a", "output": "last"}, {"instruction": "b", "output": "rb"}]""");
        string outputs = _scratch.Write("o.json", """[{"instruction": "b", "output": "mb", "dataset": "selfinstruct"}, {"instruction": "a", "output": "ma", "dataset": "koala"}]""");
        Assert.Equal("instruction,input,response1,response2\nb,,rb,mb\na,,last,ma\n", SparseFiles.WritePairs(SparseConversions.EvaluationPairs(reference, outputs)));
        Assert.Equal("instruction,input,response\na,,ma\n", SparseFiles.WriteResponses(SparseConversions.EvaluationResponses(outputs)));
        string other = _scratch.Write("x.json", """[{"instruction": "c", "output": "mc"}]""");
        Assert.Contains("x.json, row 1: ", Assert.Throws<BadInputException>(() => SparseConversions.EvaluationPairs(reference, other)).Message, StringComparison.Ordinal);
        Assert.Contains("row 1: the field 'output' is missing", Assert.Throws<BadInputException>(() => SparseConversions.EvaluationPairs(reference, _scratch.Write("y.json", """[{"instruction": "a"}]"""))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_expand_generations_and_name_rows_without_responses()
    {
        string file = _scratch.Write("g.json", """[{"instruction": "i", "responses": ["1", "2", "3"]}]""");
        Assert.Equal([("1", "2"), ("1", "3"), ("2", "3")], SparseConversions.Pairs(file).Select(p => (p.Response1, p.Response2)));
        Assert.Contains("row 1, field 'responses': must be a list of strings", Assert.Throws<BadInputException>(() => SparseConversions.Responses(_scratch.Write("h.json", """[{"instruction": "i", "responses": "1"}]"""))).Message, StringComparison.Ordinal);
        Assert.Contains("row 1, field 'responses[1]'", Assert.Throws<BadInputException>(() => SparseConversions.Responses(_scratch.Write("h.json", """[{"instruction": "i", "responses": ["1", null]}]"""))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_write_reward_data_as_Python_does()
    {
        string json = SparseConversions.RewardData([Ranking("x", "y\u007f", SparseVerdict.First), Ranking("x", "y\u007f", SparseVerdict.First), Ranking("é😀", "\"\\\t\u0001", SparseVerdict.Second), Ranking("p", "q", SparseVerdict.Equal)]);
        Assert.Equal("{\"Below is an instruction that describes a task. Write a response that appropriately completes the request.\\n\\n### Instruction:\\ni\\n\\n### Response: \": "
            + "{\"sentences\": [[\"x\", \"y\u007f\"], [\"\\\"\\\\\\t\\u0001\", \"\\u00e9\\ud83d\\ude00\"]]}}", json);
        Assert.Equal("[\n {\"instruction\": \"i\", \"input\": \"\", \"output\": \"x\", \"score\": 5}\n]\n", SparseConversions.RewardData([Rating("i", "nan", "x", 5), Rating("i", "", "x", 2)]));
    }

    [Fact]
    public void Should_take_what_pandas_drops_for_text_unless_asked()
    {
        Assert.Null(SparseInput.Of("nan"));
        Assert.Null(SparseInput.Of(""));
        Assert.Equal("NA", SparseInput.Of("NA"));
        Assert.Null(SparseInput.Of("NA", asPandas: true));
    }

    private static SparseRating Rating(string instruction, string input, string output, double score) => new("p", instruction, input, output, score, $"{score}");

    private static SparseRanking Ranking(string first, string second, SparseVerdict verdict) => new("p", "i", "nan", first, second, verdict);
}
