using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Verbs;

/// <summary><c>farm pocket</c>: the small world of instructions that comes with Farm.</summary>
internal static class PocketVerb
{
    /// <summary>Builds the verb with its own verbs.</summary>
    /// <param name="run">Runs another command line of Farm and gives its exit code.</param>
    /// <param name="cancellation">Ends long work.</param>
    public static Command Create(Func<string[], int> run, CancellationToken cancellation)
    {
        var command = new Command("pocket", "The pocket world: generated instructions, a gold judge and simulated preferences.");
        command.Subcommands.Add(Export());
        command.Subcommands.Add(Score());
        command.Subcommands.Add(PocketPreferVerb.Create());
        command.Subcommands.Add(PocketEvaluateVerb.Create(cancellation));
        command.Subcommands.Add(PocketBaseVerb.Create());
        command.Subcommands.Add(PocketTrainVerb.Create(run));
        return command;
    }

    private static Command Export()
    {
        var output = new Option<string>("--output") { Description = "Folder for AlpacaFarm's JSON files.", HelpName = "DIR", Required = true };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the world; the embedded models know the world of seed 0.", HelpName = "S" };
        var json = new Option<bool>("--json") { Description = "Prints what was written as JSON." };
        var command = new Command("export", "Writes the splits and the simulated preferences as AlpacaFarm's JSON.");
        command.Options.Add(output);
        command.Options.Add(seed);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string folder = FlagChecks.OutputFolder(result.GetRequiredValue(output));
            var files = new PocketWorld(result.GetValue(seed)).Export(folder);
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("output", folder);
                    w.WriteStartObject("rows");
                    foreach (var (file, rows) in files)
                    {
                        w.WriteNumber(file, rows);
                    }

                    w.WriteEndObject();
                    w.WriteEndObject();
                });
                return ExitCodes.Done;
            }

            foreach (var (file, rows) in files)
            {
                Console.Out.WriteLine($"{Path.Combine(folder, file)}: {rows} rows");
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Score()
    {
        var input = new Option<string>("--input") { Description = "Rows with instruction, input and output (a text or a list of texts).", HelpName = "FILE", Required = true };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var command = new Command("score", "Gives the gold judge's mean scores of responses to pocket instructions, in all and for each kind.");
        command.Options.Add(input);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string file = result.GetRequiredValue(input);
            var scored = InstructionFile.Read(file, requireOutput: true).SelectMany(row => Grade(file, row)).ToList();
            var kinds = scored.GroupBy(s => s.Kind).OrderBy(g => g.Key, StringComparer.Ordinal);
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteNumber("outputs", scored.Count);
                    w.WriteNumber("mean_gold_score", scored.Average(s => s.Score.Total));
                    w.WriteNumber("mean_correctness", scored.Average(s => s.Score.Correctness));
                    w.WriteNumber("mean_constraint", scored.Average(s => s.Score.Constraint));
                    w.WriteNumber("mean_relevance", scored.Average(s => s.Score.Relevance));
                    w.WriteNumber("mean_well_formedness", scored.Average(s => s.Score.WellFormedness));
                    w.WriteNumber("mean_brevity", scored.Average(s => s.Score.Brevity));
                    w.WriteStartObject("kinds");
                    foreach (var kind in kinds)
                    {
                        w.WriteStartObject(kind.Key);
                        w.WriteNumber("outputs", kind.Count());
                        w.WriteNumber("mean_gold_score", kind.Average(s => s.Score.Total));
                        w.WriteEndObject();
                    }

                    w.WriteEndObject();
                    w.WriteEndObject();
                });
                return ExitCodes.Done;
            }

            Console.Out.WriteLine(FormattableString.Invariant($"{scored.Count} outputs, mean gold score {scored.Average(s => s.Score.Total):F4}"));
            foreach (var kind in kinds)
            {
                Console.Out.WriteLine(FormattableString.Invariant($"  {kind.Key,-18} {kind.Count(),6}  {kind.Average(s => s.Score.Total):F4}"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static IEnumerable<(string Kind, GoldScore Score)> Grade(string file, InstructionRow row)
    {
        var question = PocketRows.Of(file, row);
        string kind = GoldJudge.KindOf(question)!;
        return row.Outputs.Select(o => (kind, GoldJudge.Score(question, o)));
    }
}
