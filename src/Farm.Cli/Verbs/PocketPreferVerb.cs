using System.CommandLine;
using System.Globalization;
using Farm.Cli.Data;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Pocket.Data;
using Farm.Pocket.Judging;

namespace Farm.Cli.Verbs;

/// <summary><c>farm pocket prefer</c>: simulated preferences over a policy's own samples, as AlpacaFarm makes its training preferences.</summary>
internal static class PocketPreferVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var input = new Option<string>("--input") { Description = "Rows with instruction, input and several outputs, e.g. of farm decode.", HelpName = "FILE", Required = true };
        var output = new Option<string>("--output") { Description = "File for the preference rows: instruction, input, output_1, output_2, preference.", HelpName = "FILE", Required = true };
        var judge = new Option<string>("--judge") { Description = "The pool of simulated judges, one of them by its number, or the gold judge.", HelpName = "pool|1..13|gold", DefaultValueFactory = _ => "pool" };
        var flip = new Option<double?>("--p-label-flip") { Description = "Share of rows whose label is turned round; 0.25 unless given, 0 for gold.", HelpName = "P" };
        var pairs = new Option<int>("--pairs-per-row") { Description = "Most pairs of a row; equal outputs make none.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var asSampled = new Option<bool>("--as-sampled") { Description = "Draws pairs from the outputs as they are, so that a frequent one is compared often; else equal outputs count once." };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the pairs, their order, the judges' flips and their ties.", HelpName = "S" };
        var command = new Command("prefer", "Lets simulated judges compare the outputs of each row.");
        foreach (var option in new Option[] { input, output, judge, flip, pairs, asSampled, seed })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            string source = result.GetRequiredValue(input), target = result.GetRequiredValue(output);
            int most = result.GetValue(pairs);
            if (most < 1)
            {
                throw new BadInputException($"--pairs-per-row must be at least 1, not {most}.");
            }

            var judging = Judge(result.GetRequiredValue(judge), result.GetValue(flip), result.GetValue(seed));
            OutputFile.Check(target);
            var rows = InstructionFile.Read(source, requireOutput: true);
            var questions = PocketRows.Of(source, rows);
            var preferences = PocketPreferences.Create(questions, [.. rows.Select(r => r.Outputs)], judging, most, result.GetValue(seed), result.GetValue(asSampled));
            if (preferences.Count == 0)
            {
                throw new BadInputException($"{source}: no row has two different outputs, so there is nothing to compare.");
            }

            AlpacaFiles.Write(target, preferences);
            Console.Out.WriteLine($"{target}: {preferences.Count} preferences by {judging.Name} on {rows.Count} rows");
            return ExitCodes.Done;
        });
        return command;
    }

    private static IPairwiseJudge Judge(string name, double? flip, ulong seed)
    {
        if (name == "gold")
        {
            return new SimulatedJudge("gold", JudgeBias.None, flip ?? 0, seed);
        }

        var pool = new JudgePool(seed, flip ?? 0.25);
        return name == "pool" ? pool
            : int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1 && number <= pool.Judges.Count ? pool.Judges[number - 1]
            : throw new BadInputException($"--judge must be pool, gold, or a number from 1 to {pool.Judges.Count}, not '{name}'.");
    }
}
