using System.CommandLine;
using System.Globalization;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cli.Simulation;
using Farm.Core;
using Farm.Pocket.Embedded;
using Farm.Pocket.Judging;

namespace Farm.Cli.Verbs;

/// <summary><c>farm pocket evaluate</c>: what a policy and a reward model are worth in the pocket world.</summary>
internal static class PocketEvaluateVerb
{
    private const int AccuracySamples = 4;

    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var policy = new Option<string?>("--policy") { Description = "Model folder of the policy; the embedded one unless given.", HelpName = "DIR" };
        var reward = new Option<string?>("--reward") { Description = "Model folder of the reward model; the embedded one unless given.", HelpName = "DIR" };
        var samples = new Option<int>("-n", "--num-return-sequences") { Description = "Samples of each instruction of the eval split.", HelpName = "N", DefaultValueFactory = _ => 16 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of every draw.", HelpName = "S" };
        var most = new Option<int?>("--max-instances") { Description = "Takes only the first K instructions of each split.", HelpName = "K" };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var engine = new EngineOptions();
        var command = new Command("evaluate", "Best-of-n on the eval split by gold score, and the reward model's accuracy on samples of the val split.");
        foreach (var option in new Option[] { policy, reward, samples, seed, most, json })
        {
            command.Options.Add(option);
        }

        engine.AddTo(command);
        command.SetAction(result =>
        {
            int count = result.GetValue(samples);
            if (count < 2)
            {
                throw new BadInputException($"--num-return-sequences must be at least 2, not {count}.");
            }

            int? limit = FlagChecks.MaxInstances(result.GetValue(most));
            var settings = engine.Read(result);
            string? policyFolder = result.GetValue(policy), rewardFolder = result.GetValue(reward);
            var folders = policyFolder is not null && rewardFolder is not null ? new ModelFolders(policyFolder, rewardFolder) : PocketModels.Embedded("--policy and --reward");
            using var models = PocketModels.Load(new ModelFolders(policyFolder ?? folders.Policy, rewardFolder ?? folders.Reward), settings);
            var eval = PocketModels.Rows("eval", settings, limit);
            var val = PocketModels.Rows("val", settings, limit);
            var best = models.Rank($"Best of {count}", eval, count, result.GetValue(seed), cancellation).Ranked;
            var gain = PocketGain.Of(eval, best);
            var curve = BestOfNEstimate.Curve(
                [.. best.Select(r => r.Samples.Select(s => s.Reward).ToArray())], [.. best.Zip(eval, (r, row) => r.Samples.Select(s => GoldJudge.Score(row, s.Sample.Text).Total).ToArray())]);
            var ranked = models.Rank("Accuracy", val, AccuracySamples, result.GetValue(seed), cancellation).Ranked;
            var accuracy = PocketAccuracy.Of(val, ranked, result.GetValue(seed));
            var kinds = PocketKinds.Of(val, ranked, result.GetValue(seed));
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    gain.WriteFields(w);
                    w.WriteStartArray("best_of_n");
                    foreach (var point in curve)
                    {
                        w.WriteStartObject();
                        w.WriteNumber("n", point.N);
                        w.WriteNumber("reward", Math.Round(point.Proxy, 4));
                        w.WriteNumber("gold", Math.Round(point.Gold, 4));
                        w.WriteNumber("gold_standard_error", Math.Round(point.GoldError, 4));
                        w.WriteEndObject();
                    }

                    w.WriteEndArray();
                    accuracy.WriteFields(w);
                    kinds.WriteFields(w);
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine(gain);
                Console.Out.WriteLine($"Best of n: {string.Join("; ", curve.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.N} reward {p.Proxy:F3}, gold {p.Gold:F3} ± {p.GoldError:F3}")))}");
                Console.Out.WriteLine(accuracy);
                Console.Out.WriteLine($"Of the val split, ranked among {AccuracySamples}:\n{kinds}");
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
