using System.Text.Json.Nodes;
using Farm.Cli.Simulation;
using Farm.Cli.Tests.Support;
using Farm.Core;

namespace Farm.Cli.Tests.Simulation;

/// <summary>The simulation with settings of a few seconds, and its arithmetic.</summary>
public sealed class SimulationTests : IDisposable
{
    private static readonly SimulationSettings Tiny = new()
    {
        SftRows = 32,
        SftEpochs = 1,
        PreferenceRows = 24,
        PreferenceSamples = 2,
        PairsPerRow = 1,
        RewardEpochs = 1,
        ResponseLength = 12,
        PpoSteps = 2,
        PpoRollouts = 8,
        PpoEvalSteps = 1,
        ValRows = 4,
        EvalRows = 4,
        QuarkSteps = 1,
        ExpertSamples = 2,
        ExpertRows = 8,
        TuneEpochs = 1,
        MostSamples = 4,
        BestOf = 2,
        EvalSamples = 2,
        Kinds = ["noisy", "single"],
    };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_run_every_method_and_take_over_what_is_done()
    {
        string output = _folder.File("run");
        var first = new Cli.Simulation.Simulation(output, Tiny, SimulationSettings.AllMethods, resume: false, CancellationToken.None).Run();
        Assert.Equal(["sft", "ppo", "best-of-2", "expert-iteration", "dpo", "quark", "feedme", "reward-condition"], first.Table.Select(m => m.Name));
        Assert.All(first.Table, m => Assert.InRange(m.Gold, 0, 1));
        Assert.All(first.Table, m => Assert.InRange(m.Win, 0, 100));
        Assert.Equal(["ppo noisy", "ppo single", "best-of-n noisy", "best-of-n single"], first.Curves.Keys);
        Assert.Equal([1, 2, 4], first.Curves["best-of-n noisy"].Select(p => p.N));
        Assert.Equal([1, 2], first.Curves["ppo noisy"].Select(p => p.N));
        string page = File.ReadAllText(Path.Combine(output, "simulate.html"));
        Assert.Contains("<path class=\"curve\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("http", page, StringComparison.OrdinalIgnoreCase);
        string json = File.ReadAllText(Path.Combine(output, "simulate.json"));
        Assert.Equal(8, JsonNode.Parse(json)!["methods"]!.AsArray().Count);

        // A stage that is lost is done again, to the same numbers; the others are taken over.
        File.Delete(Path.Combine(output, "stages", "best-of-n-measured.json"));
        var second = new Cli.Simulation.Simulation(output, Tiny, SimulationSettings.AllMethods, resume: true, CancellationToken.None).Run();
        Assert.Equal(first.Table, second.Table);
        Assert.Contains("--resume", Refused(Tiny, false), StringComparison.Ordinal);
        Assert.Contains("PpoSteps was 2 and is now 3", Refused(Tiny with { PpoSteps = 3 }, true), StringComparison.Ordinal);

        string Refused(SimulationSettings settings, bool resume) =>
            Assert.Throws<BadInputException>(() => new Cli.Simulation.Simulation(output, settings, ["ppo"], resume, CancellationToken.None)).Message;
    }

    [Fact]
    public void Best_of_n_curve_takes_the_best_of_disjoint_groups()
    {
        var points = CurvePoint.BestOfN([[1, 3, 2, 0], [5, 5, 4, 6]], [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]);
        Assert.Equal([1, 2, 4], points.Select(p => p.N));
        Assert.Equal([3.25, ((3 + 2) / 2.0 + ((5 + 6) / 2.0)) / 2, (3 + 6) / 2.0], points.Select(p => p.Proxy));
        // Of equal rewards the first wins.
        Assert.Equal(((0.2 + 0.3) / 2 + ((0.5 + 0.8) / 2)) / 2, points[1].Gold, 1e-12);
        Assert.Equal([0, Math.Log(2) - 0.5, Math.Log(4) - 0.75], points.Select(p => p.Kl));
    }

    [Fact]
    public void Standard_errors_are_over_rows()
    {
        var (mean, error) = SimulatedMethod.Mean([1, 2, 3, 4]);
        Assert.Equal((2.5, Math.Sqrt(5 / 3.0 / 4)), (mean, error));
        Assert.Equal((1, 0.0), SimulatedMethod.Mean([1]));
    }
}
