using System.CommandLine;
using Farm.Annotation.Annotating;
using Farm.Annotation.Data;
using Farm.Annotation.Metrics;
using Farm.Annotation.Metrics.LengthControl;
using Farm.Cli.Annotation;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm evaluate</c>: a model's outputs against a reference's, judged and put on a leaderboard.</summary>
internal static class EvaluateVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var outputs = new Option<string>("--outputs") { Description = "The model's outputs: rows with instruction and output.", HelpName = "FILE", Required = true };
        var reference = new Option<string>("--reference") { Description = "The reference's outputs to the same instructions.", HelpName = "FILE", Required = true };
        var name = new Option<string?>("--name") { Description = "The model's name; the outputs' generator unless given.", HelpName = "NAME" };
        var leaderboard = new Option<string?>("--leaderboard") { Description = "The leaderboard that the model is merged into; it is left as it is, the result stands in the output folder.", HelpName = "CSV" };
        var output = new Option<string>("--output") { Description = "Folder for annotations.json and leaderboard.csv.", HelpName = "DIR", Required = true };
        var ordered = new Option<bool>("--is-ordered") { Description = "Row i of the outputs belongs to row i of the reference." };
        var unmatched = new Option<bool>("--allow-unmatched") { Description = "Leaves out outputs whose instruction the reference has not." };
        var lengthControlled = new Option<bool>("--length-controlled") { Description = "Adds the length-controlled win rate." };
        var difficulty = new Option<string?>("--difficulty") { Description = "AlpacaEval's instruction_difficulty.csv, for --length-controlled.", HelpName = "CSV" };
        var gamed = new Option<string?>("--gamed") { Description = "AlpacaEval's df_gamed.csv, for --length-controlled.", HelpName = "CSV" };
        var mode = new Option<string>("--mode") { Description = "What stands in the column mode: minimal, verified, community or dev.", HelpName = "MODE", DefaultValueFactory = _ => "community" };
        var json = new Option<bool>("--json") { Description = "Prints the model's line as JSON." };
        var judge = new JudgeOptions();
        var command = new Command("evaluate", "Judges a model's outputs against a reference's and puts it on a leaderboard.");
        foreach (Option option in new Option[] { outputs, reference, name, leaderboard, output, ordered, unmatched, lengthControlled, difficulty, gamed, mode })
        {
            command.Options.Add(option);
        }

        judge.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string file = result.GetRequiredValue(outputs), baseline = result.GetRequiredValue(reference), folder = result.GetRequiredValue(output);
            string ownMode = LeaderboardModes.Check(result.GetValue(mode)!, "--mode");
            var table = result.GetValue(leaderboard) is { } csv ? LeaderboardTable.Read(csv) : new LeaderboardTable();
            var hard = result.GetValue(difficulty) is { } d ? InstructionDifficulty.Read(d) : null;
            var baselines = result.GetValue(gamed) is { } g ? GamedBaselines.Read(g) : null;
            if (baselines is not null && hard is null)
            {
                throw new BadInputException("--gamed needs --difficulty: its rows have difficulties, and the model's need them too.");
            }

            var rows = HeadToHead.Join(RowFile.Read(baseline), baseline, RowFile.Read(file), file, result.GetValue(ordered), result.GetValue(unmatched));
            string annotations = Path.Combine(folder, "annotations.json");
            new AnnotationSession(result, judge, annotations).Run(rows, file, json: null, cancellation);
            var model = Named(annotations, result.GetValue(name));
            var lc = result.GetValue(lengthControlled) ? LengthControlledWinRate.Fit(model.Pairs, hard, baselines) : null;
            var row = ModelScore.Row(model, ownMode, ModelScore.AverageLength(model, file), lc);
            table.Merge(row);
            string sortBy = lc is null ? "win_rate" : "length_controlled_winrate";
            table.Sort(sortBy);
            table.Write(Path.Combine(folder, "leaderboard.csv"));
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(row.WriteTo);
            }
            else
            {
                LeaderboardPrinter.Print(table, "minimal", [row.Name], sortBy);
                int missing = model.Pairs.Count(p => p.Preference is null);
                Console.Out.WriteLine($"{model.Pairs.Count - missing} pairs with a preference, {missing} without: {annotations}");
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static ModelAnnotations Named(string annotations, string? name) => ModelAnnotations.Read(annotations, name) switch
    {
        [var only] => only.Name.Length > 0 ? only : only with { Name = "Current model" },
        var several => throw new BadInputException($"The outputs are of {several.Count} generators ({string.Join(", ", several.Select(m => m.Name))}): give --name."),
    };
}
