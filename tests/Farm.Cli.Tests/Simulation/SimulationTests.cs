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
        Assert.Contains("ppo_steps was 2 and is now 3", Refused(Tiny with { PpoSteps = 3 }, true), StringComparison.Ordinal);

        string Refused(SimulationSettings settings, bool resume) =>
            Assert.Throws<BadInputException>(() => new Cli.Simulation.Simulation(output, settings, ["ppo"], resume, CancellationToken.None)).Message;
    }

    [Fact]
    public void Best_of_n_curve_is_the_mean_over_all_subsets()
    {
        float[][] rewards = [[1, 3, 2, 0], [5, 5, 4, 6]];
        double[][] gold = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]];
        var points = BestOfNEstimate.Curve(rewards, gold);
        Assert.Equal([1, 2, 4], points.Select(p => p.N));
        Assert.Equal([0, Math.Log(2) - 0.5, Math.Log(4) - 0.75], points.Select(p => p.Kl));
        foreach (var point in points)
        {
            // All subsets written out, as bit sets; of equal rewards the first wins.
            var best = Enumerable.Range(0, rewards.Length).SelectMany(r => Enumerable.Range(0, 16).Where(set => System.Numerics.BitOperations.PopCount((uint)set) == (int)point.N)
                .Select(set => (Row: r, Sample: Enumerable.Range(0, 4).Where(i => (set >> i & 1) == 1).MaxBy(i => rewards[r][i])))).ToArray();
            Assert.Equal(best.Average(b => rewards[b.Row][b.Sample]), point.Proxy, 1e-6);
            Assert.Equal(best.Average(b => gold[b.Row][b.Sample]), point.Gold, 1e-12);
        }
    }

    [Theory]
    [InlineData("{\"ppo_steps\": 7, \"kinds\": [\"single\"]}", null)]
    [InlineData("{\"ppo_stepps\": 7}", "no setting 'ppo_stepps'; it has seed, ")]
    [InlineData("{\"ppo_steps\": \"many\"}", "the setting 'ppo_steps' has a value of another kind")]
    [InlineData("[7]", "holds no JSON object")]
    [InlineData("{", "is no JSON")]
    public void Should_take_numbers_from_a_file(string text, string? refusal)
    {
        string file = _folder.File("numbers.json");
        File.WriteAllText(file, text);
        if (refusal is null)
        {
            var settings = Tiny.With(file);
            Assert.Equal((7, "single", Tiny.ValRows), (settings.PpoSteps, Assert.Single(settings.Kinds), settings.ValRows));
            return;
        }

        string message = Assert.Throws<BadInputException>(() => Tiny.With(file)).Message;
        Assert.Contains(refusal, message, StringComparison.Ordinal);
        Assert.Contains(file, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Standard_errors_are_over_rows()
    {
        var (mean, error) = SimulatedMethod.Mean([1, 2, 3, 4]);
        Assert.Equal((2.5, Math.Sqrt(5 / 3.0 / 4)), (mean, error));
        Assert.Equal((1, 0.0), SimulatedMethod.Mean([1]));
    }
}
