using Farm.Pocket.Judging;
using Farm.Pocket.Kinds;
using Xunit.Abstractions;

namespace Farm.Pocket.Tests;

public sealed class StatisticsTests(ITestOutputHelper output)
{
    [Fact]
    public void Should_print_what_the_world_is()
    {
        var world = PocketWorld.Default;
        output.WriteLine($"kinds {TaskKinds.All.Count}");
        foreach (string name in PocketWorld.SplitNames)
        {
            var rows = world.Split(name);
            output.WriteLine($"{name}: {rows.Count}, gold {rows.Average(r => GoldJudge.Score(r, r.Output).Total):F4}, kinds {rows.Select(GoldJudge.KindOf).Distinct().Count()}");
        }

        foreach (var g in PocketWorld.SplitNames.SelectMany(world.Split).GroupBy(GoldJudge.KindOf).OrderBy(g => g.Count()))
        {
            output.WriteLine($"{g.Key} {g.Count()} {g.Average(r => GoldJudge.Score(r, r.Output).Total):F3}");
        }
        foreach (var r in world.Split("sft").Take(60)) output.WriteLine($"{r.Instruction} | {r.Input} | {r.Output} | {GoldJudge.Score(r, r.Output).Total:F2}");
    }
}
