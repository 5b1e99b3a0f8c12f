using Farm.Annotation.Metrics;
using Farm.Annotation.Metrics.Analysis;

namespace Farm.Annotation.Tests.Metrics;

public class AnalysisTests
{
    private static ScoredPair Pair(string instruction, double? preference, string output1 = "a", string output2 = "b", int? index = null, string? generator = null) => new()
    {
        Place = "f",
        Instruction = instruction,
        Output1 = output1,
        Output2 = output2,
        Preference = preference,
        Index = index,
        Generator2 = generator,
    };

    [Fact]
    public void Should_break_ties_of_modes_as_AlpacaEval_does()
    {
        Assert.Equal(2, ScoringRule.Absolute.Estimate([1, 2]));
        Assert.Equal(1, ScoringRule.Absolute.Estimate([1, 2, 1.5]));
        Assert.Equal(1, ScoringRule.Absolute.Estimate([1, 1, 2, null]));
        Assert.Null(ScoringRule.Absolute.Estimate([null, null]));
    }

    [Fact]
    public void Should_take_the_median_of_weighted_preferences_and_the_mean_for_squares()
    {
        Assert.Equal(1.3, ScoringRule.Absolute.Estimate([1.1, 1.3, 1.9]));
        Assert.Equal(1.5, ScoringRule.Squared.Estimate([1, 2])!.Value, 12);
        Assert.Equal(2, ScoringRule.ZeroOne.Estimate([1.6, 1.7, 1]));
        Assert.Equal(0, ScoringRule.ZeroOne.Estimate([1.5]));
    }

    [Fact]
    public void Should_average_agreement_over_choices_of_votes()
    {
        // Votes of four people on two pairs; one person against the three others, by hand.
        var table = VoteTable.Of([.. new double?[] { 1, 1, 1, 2 }.Select(p => Pair("x", p)), .. new double?[] { 2, 2, 2, 2 }.Select(p => Pair("y", p))]);
        Assert.Equal(4, table.Count);
        var agreement = Agreement.Within(table, 1);
        Assert.Equal(4, agreement.Choices);
        Assert.Equal((1 + 1 + 1 + 0.5) / 4, agreement.Score, 12);
        Assert.Equal(Statistics.StandardError([1, 1, 1, 0.5]), agreement.AnnotatorError, 12);
        Assert.Equal(2, agreement.Pairs);
    }

    [Fact]
    public void Should_compare_a_judge_with_people_on_the_pairs_both_have()
    {
        var gold = VoteTable.Of([Pair("x", 1), Pair("x", 1), Pair("y", 2), Pair("y", 2), Pair("z", 2), Pair("z", 2)]);
        var judge = VoteTable.Of([Pair("x", 1), Pair("y", 1), Pair("other", 2)]);
        var agreement = Agreement.Between(judge, 1, gold);
        Assert.Equal(0.5, agreement.Score, 12);
        Assert.Equal(0.5, agreement.Error, 12);
        Assert.Equal(2, agreement.Pairs);
    }

    [Fact]
    public void Should_place_votes_by_index_and_drop_pairs_with_too_few()
    {
        var table = VoteTable.Of([Pair("x", 2, index: 1), Pair("x", 1, index: 0), Pair("y", 1, index: 0)], votes: 2);
        Assert.Equal([1, 2], Assert.Single(table.Votes).Value);
    }

    [Theory]
    [InlineData("* one\n* two", true)]
    [InlineData("intro:\n  • one", true)]
    [InlineData("1. one", true)]
    [InlineData("2) two", true)]
    [InlineData("a. one", true)]
    [InlineData("plain text - with a dash", false)]
    [InlineData("e.g. this", false)]
    [InlineData("", false)]
    public void Should_detect_lists(string text, bool list) => Assert.Equal(list, ListDetector.HasList(text));

    [Fact]
    public void Should_detect_lists_in_hostile_texts_in_time_that_grows_with_their_length() =>
        Assert.False(ListDetector.HasList("* " + new string(' ', 200_000) + new string('!', 200_000)));

    [Fact]
    public void Should_measure_what_a_judge_prefers()
    {
        string longer = new('x', 50);
        var bias = OutputBias.Of([Pair("a", 2, "x", longer), Pair("b", 1, "x", longer), Pair("c", 2, "- item", "y"), Pair("d", 2, "n", "- item"), Pair("e", 1.5, "x", longer), Pair("f", null, "x", longer)]);
        Assert.Equal(0.5, bias.PreferLonger, 12);
        Assert.Equal(0.5, bias.PreferLists, 12);
        Assert.Equal(2 - ((2 + 1 + 2 + 2 + 1.5) / 5), bias.PreferFirst, 12);
    }

    [Fact]
    public void Should_correlate_win_rates_over_generators()
    {
        List<ScoredPair> Rows(params (string Generator, double?[] Preferences)[] models) =>
            [.. models.SelectMany(m => m.Preferences.Select((p, i) => Pair($"{m.Generator}{i}", p, generator: m.Generator)))];
        var gold = Rows(("g1", [1, 1]), ("g2", [1, 2]), ("g3", [2, 2]));
        var judge = Rows(("g1", [1, 1]), ("g2", [1, 1.2]), ("g3", [1, 2]));
        var (spearman, pearson) = EvaluatorAnalysis.Correlations(judge, gold, leastRows: 0);
        Assert.Equal(1, spearman, 12);
        Assert.Equal(Statistics.Pearson([0, 10, 50], [0, 50, 100]), pearson, 10);
        Assert.True(double.IsNaN(EvaluatorAnalysis.Correlations(judge, gold, leastRows: 2).Pearson));
        Assert.Equal(0.5, Statistics.Spearman([1, 2, 3], [1, 3, 2]), 12);
    }

    [Fact]
    public void Should_fill_the_table_of_evaluators_as_far_as_the_data_goes()
    {
        List<ScoredPair> rows = [.. Enumerable.Range(0, 4).SelectMany(s => new[] { Pair("x", s == 0 ? 2 : 1, index: s), Pair("y", 2, index: s) })];
        var row = EvaluatorAnalysis.Row("j", rows, rows);
        Assert.Equal(EvaluatorAnalysis.Columns, row.Cells.Keys);
        Assert.Equal("8", row.Cells["# parsed"]);
        Assert.Equal(12.5, row.Number("Variance")!.Value, 10);
        Assert.Equal(0, row.Number("Bias")!.Value, 10);
        var alone = EvaluatorAnalysis.Row("j", [Pair("x", 2)], null);
        Assert.Null(alone.Number("Human agreement"));
        Assert.Null(alone.Number("Bias"));
        Assert.Null(alone.Number("Variance"));
    }
}
