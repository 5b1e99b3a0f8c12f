using Farm.Core;
using Farm.Pocket.Data;
using Farm.Pocket.Judging;

namespace Farm.Pocket.Tests;

public sealed class SplitTests
{
    [Fact]
    public void Should_have_the_documented_rows_of_every_split_all_distinct()
    {
        string[] names = ["sft", "preference", "unlabeled", "val", "eval"];
        Assert.Equal(names, PocketWorld.SplitNames);
        Assert.Equal([24000, 24000, 4000, 500, 200], names.Select(n => PocketWorld.Default.Split(n).Count));
        var keys = names.SelectMany(PocketWorld.Default.Split).Select(r => (r.Instruction, r.Input)).ToHashSet();
        Assert.Equal(52700, keys.Count);
    }

    [Fact]
    public void Should_make_the_same_rows_of_the_same_seed_and_others_of_another()
    {
        var again = new PocketWorld(0);
        foreach (string name in PocketWorld.SplitNames)
        {
            Assert.Equal(PocketWorld.Default.Split(name), again.Split(name));
        }

        var other = new PocketWorld(1).Split("sft").Select(r => r.Key).ToHashSet();
        Assert.InRange(PocketWorld.Default.Split("sft").Count(r => other.Contains(r.Key)), 0, 2600);
        Assert.NotEqual(PocketWorld.Default.Split("sft").Take(20), new PocketWorld(1).Split("sft").Take(20));
    }

    [Fact]
    public void Should_hold_every_kind_in_the_splits_for_training_with_inputs_in_many()
    {
        Assert.True(GoldJudge.Kinds.Count >= 30);
        foreach (string name in new[] { "sft", "preference", "unlabeled" })
        {
            Assert.Equal(GoldJudge.Kinds.Order(StringComparer.Ordinal), PocketWorld.Default.Split(name).Select(r => GoldJudge.KindOf(r)!).Distinct().Order(StringComparer.Ordinal));
            Assert.InRange(PocketWorld.Default.Split(name).Average(r => r.Input.Length > 0 ? 1.0 : 0), 0.25, 0.7);
        }
    }

    [Fact]
    public void Should_demonstrate_with_mixed_quality_and_evaluate_with_right_answers()
    {
        var sft = PocketWorld.Default.Split("sft").Select(r => GoldJudge.Score(r, r.Output)).ToArray();
        Assert.InRange(sft.Average(s => s.Total), 0.72, 0.86);
        Assert.InRange(sft.Average(s => s.Correctness < 0.5 ? 1.0 : 0), 0.14, 0.30);
        Assert.InRange(sft.Average(s => s.Brevity < 1 ? 1.0 : 0), 0.06, 0.16);
        Assert.All(PocketWorld.Default.Split("eval"), r => Assert.True(GoldJudge.Score(r, r.Output).Total >= 0.9));
    }

    [Fact]
    public void Should_order_the_qualities_of_demonstrations()
    {
        var rows = PocketWorld.Default.Split("val");
        double clean = Mean(DemonstrationMix.Clean), verbose = Mean(new(0, 1, 0, 0, 0)), sloppy = Mean(new(0, 0, 1, 0, 0)), off = Mean(new(0, 0, 0, 1, 0)), wrong = Mean(new(1, 0, 0, 0, 0)), away = Mean(new(0, 0, 0, 0, 1));
        Assert.True(clean > 0.99, $"{clean}");
        Assert.True(clean > sloppy && sloppy > off && clean > verbose && verbose > wrong && off > wrong && wrong > away, $"{clean} {sloppy} {verbose} {off} {wrong} {away}");

        double Mean(DemonstrationMix mix) => rows.Average(r => GoldJudge.Score(r, Demonstrator.Write(r, mix, new Draws(5, r.Key))).Total);
    }

    [Fact]
    public void Should_name_the_splits_when_asked_for_another() =>
        Assert.Contains("sft, preference, unlabeled, val, eval", Assert.Throws<BadInputException>(() => PocketWorld.Default.Split("test")).Message, StringComparison.Ordinal);
}
