using Farm.Core;
using Farm.Pocket.Data;
using Farm.Pocket.Judging;

namespace Farm.Pocket.Tests;

public sealed class JudgeTests
{
    private static readonly PocketRow s_row = new("Name three colours.", "");

    [Fact]
    public void Should_flip_a_quarter_of_the_labels()
    {
        var rows = PocketWorld.Default.Split("preference");
        Assert.InRange(Flips(rows, 0.25), 0.23, 0.27);
        Assert.Equal(0, Flips(rows, 0));
    }

    [Fact]
    public void Should_flip_the_same_rows_each_time_and_others_for_another_seed_or_name()
    {
        var rows = PocketWorld.Default.Split("val");
        int[] first = Labels("a", 1);
        Assert.Equal(first, Labels("a", 1));
        Assert.InRange(first.Zip(Labels("a", 2)).Count(p => p.First != p.Second), 100, 275);
        Assert.InRange(first.Zip(Labels("b", 1)).Count(p => p.First != p.Second), 100, 275);

        int[] Labels(string name, ulong seed)
        {
            var judge = new SimulatedJudge(name, JudgeBias.None, 0.25, seed);
            return [.. rows.Select(r => judge.Prefer(r, Right(r), "Qqq."))];
        }
    }

    [Fact]
    public void Should_stand_by_the_response_when_the_two_change_places()
    {
        var judge = new SimulatedJudge("a", JudgeBias.None, 0.25, 3);
        Assert.All(PocketWorld.Default.Split("val"), r => Assert.Equal(3, judge.Prefer(r, Right(r), "Qqq.") + judge.Prefer(r, "Qqq.", Right(r))));
    }

    [Fact]
    public void Should_lean_the_way_of_the_bias()
    {
        const string Short = "Red, blue and green.", Long = "Red, blue and green, yes.";
        Assert.Equal(2, Judge(new(0.4, 0, 0)).Prefer(s_row, Short, "Purple, yellow and brown."));
        Assert.Equal(1, Judge(new(-0.4, 0, 0)).Prefer(s_row, Short, "Purple, yellow and brown."));
        Assert.Equal(1, Judge(JudgeBias.None).Prefer(s_row, Short, Long));
        Assert.Equal(2, Judge(new(0, 0.9, 0)).Prefer(s_row, "Red and blue and green.", "Red, blue, green."));
        Assert.Equal(1, Judge(new(0, -0.9, 0)).Prefer(s_row, "Red and blue and green.", "Red, blue, green."));
        Assert.Equal(1, Judge(new(0, 0, 0.1)).Prefer(s_row, Short, Short));
        Assert.Equal(2, Judge(new(0, 0, -0.1)).Prefer(s_row, Short, Short));

        static SimulatedJudge Judge(JudgeBias bias) => new("j", bias, 0);
    }

    [Fact]
    public void Should_spread_the_rows_over_thirteen_judges_and_keep_each_with_its_own()
    {
        var pool = new JudgePool(9);
        Assert.Equal(13, pool.Judges.Select(j => j.Name).Distinct().Count());
        var rows = PocketWorld.Default.Split("unlabeled");
        var counts = rows.GroupBy(r => pool.For(r).Name).Select(g => g.Count()).ToArray();
        Assert.Equal(13, counts.Length);
        Assert.All(counts, c => Assert.InRange(c, 230, 390));
        Assert.All(rows.Take(50), r => Assert.Equal(pool.For(r).Name, new JudgePool(9).For(r with { Output = "other" }).Name));
        Assert.All(rows.Take(50), r => Assert.Equal(pool.For(r).Prefer(r, Right(r), "No."), pool.Prefer(r, Right(r), "No.")));
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(0.51)]
    [InlineData(double.NaN)]
    public void Should_refuse_a_probability_that_is_none(double probability) => Assert.Throws<BadInputException>(() => new SimulatedJudge("a", JudgeBias.None, probability));

    [Fact]
    public void Should_judge_hostile_texts()
    {
        var pool = new JudgePool();
        foreach (string text in new[] { "", "\0", "\ud800", new string('x', 100_000), "\n\n" })
        {
            Assert.InRange(pool.Prefer(s_row, text, "Red."), 1, 2);
            Assert.InRange(pool.Prefer(s_row, text, text), 1, 2);
        }
    }

    [Fact]
    public void Should_label_demonstrations_as_the_gold_judge_would_but_for_the_noise()
    {
        var rows = PocketWorld.Default.Split("unlabeled");
        var noisy = PocketPreferences.FromDemonstrations(rows, new JudgePool(0), seed: 4);
        var clean = PocketPreferences.FromDemonstrations(rows, new SimulatedJudge("gold", JudgeBias.None, 0), seed: 4);
        Assert.InRange(noisy.Count, 3950, 4000);
        Assert.Equal(noisy.Select(p => p with { Preference = 0 }), clean.Select(p => p with { Preference = 0 }));
        Assert.All(noisy, p => Assert.NotEqual(p.Output1, p.Output2));
        Assert.InRange(noisy.Zip(clean).Count(p => p.First.Preference == p.Second.Preference) / (double)noisy.Count, 0.66, 0.76);
        Assert.InRange(clean.Count(p => p.Preference == 1) / (double)clean.Count, 0.46, 0.54);
        Assert.All(clean, p => Assert.True(Better(p)));

        static bool Better(PocketPreference p)
        {
            var row = new PocketRow(p.Instruction, p.Input);
            double gain = GoldJudge.Score(row, p.Output1).Total - GoldJudge.Score(row, p.Output2).Total;
            return Math.Abs(gain) < 1e-9 || (gain > 0) == (p.Preference == 1);
        }
    }

    [Fact]
    public void Should_pair_given_responses_each_pair_once()
    {
        var judge = new SimulatedJudge("gold", JudgeBias.None, 0);
        PocketRow[] rows = [s_row, s_row with { Instruction = "Name two fruits." }];
        var pairs = PocketPreferences.Create(rows, [["Red.", "Red, blue and pink.", "Red.", "Qqq."], ["Pear and plum.", "Pear and plum."]], judge, 10);
        Assert.Equal(3, pairs.Count);
        Assert.Equal(3, pairs.Select(p => string.CompareOrdinal(p.Output1, p.Output2) < 0 ? (p.Output1, p.Output2) : (p.Output2, p.Output1)).Distinct().Count());
        Assert.Equal(2, pairs.Count(p => (p.Preference == 1 ? p.Output1 : p.Output2) == "Red, blue and pink."));
        Assert.Single(PocketPreferences.Create([s_row], [["a", "b", "c"]], judge));
    }

    [Fact]
    public void Should_refuse_a_judge_that_says_neither_and_counts_that_differ()
    {
        Assert.Contains("answered 3", Assert.Throws<BadInputException>(() => PocketPreferences.Create([s_row], [["a", "b"]], new Undecided())).Message, StringComparison.Ordinal);
        Assert.Throws<BadInputException>(() => PocketPreferences.Create([s_row], [], new Undecided()));
    }

    private static string Right(PocketRow row) => Demonstrator.Write(row, DemonstrationMix.Clean, new Draws(1, row.Key));

    private static double Flips(IReadOnlyList<PocketRow> rows, double probability)
    {
        var judge = new SimulatedJudge("a", JudgeBias.None, probability, 11);
        return rows.Count(r => judge.Prefer(r, Right(r), "Qqq.") == 2) / (double)rows.Count;
    }

    private sealed class Undecided : IPairwiseJudge
    {
        public string Name => "undecided";

        public int Prefer(PocketRow row, string output1, string output2) => 3;
    }
}
