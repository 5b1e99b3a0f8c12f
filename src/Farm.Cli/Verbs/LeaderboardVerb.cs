using System.CommandLine;
using Farm.Annotation.Metrics;
using Farm.Annotation.Metrics.LengthControl;
using Farm.Annotation.Metrics.Report;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm leaderboard</c>: AlpacaEval's metrics from annotation files, without asking anyone.</summary>
internal static class LeaderboardVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var annotations = new Option<string[]>("--annotations") { Description = "Annotation files, one or several models each.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
        var outputs = new Option<string[]>("--outputs") { Description = "Output files of the models, as many as annotation files, for avg_length; the annotations' own outputs unless given.", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };
        var names = new Option<string[]>("--name") { Description = "The models' names, as many as annotation files; generator_2, or else the folder's name, unless given.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var lengthControlled = new Option<bool>("--length-controlled") { Description = "Adds the length-controlled win rate." };
        var difficulty = new Option<string?>("--difficulty") { Description = "AlpacaEval's instruction_difficulty.csv; without it the length-controlled model knows length and model alone.", HelpName = "CSV" };
        var gamed = new Option<string?>("--gamed") { Description = "AlpacaEval's df_gamed.csv, rows of the baselines that keep the fit honest.", HelpName = "CSV" };
        var weights = new Option<string?>("--weights") { Description = "Published weights of the length-controlled model, instead of a fit.", HelpName = "CSV" };
        var saveWeights = new Option<string?>("--save-weights") { Description = "Writes the weights that were fitted.", HelpName = "CSV" };
        var byInstruction = new Option<bool>("--difficulty-by-instruction") { Description = "Finds difficulties by instruction; by row, as the published numbers were made, unless given." };
        var leaderboard = new Option<string[]>("--leaderboard") { Description = "Leaderboards to merge the models into.", HelpName = "CSV", AllowMultipleArgumentsPerToken = true };
        var output = new Option<string?>("--output") { Description = "Writes the leaderboard.", HelpName = "CSV" };
        var html = new Option<string?>("--html") { Description = "Writes a page with plots.", HelpName = "FILE" };
        var sortBy = new Option<string?>("--sort-by") { Description = "Column to sort by; length_controlled_winrate with --length-controlled, else win_rate.", HelpName = "COLUMN" };
        var mode = new Option<string>("--mode") { Description = "What stands in the column mode: minimal, verified, community or dev.", HelpName = "MODE", DefaultValueFactory = _ => "community" };
        var show = new Option<string>("--show") { Description = "Rows of --leaderboard to print: minimal, verified, community or dev.", HelpName = "MODE", DefaultValueFactory = _ => "minimal" };
        var json = new Option<bool>("--json") { Description = "Prints one JSON object per model." };
        var command = new Command("leaderboard", "Win rates of annotated models, merged into leaderboards.");
        foreach (Option option in new Option[] { annotations, outputs, names, lengthControlled, difficulty, gamed, weights, saveWeights, byInstruction, leaderboard, output, html, sortBy, mode, show, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            string[] files = result.GetRequiredValue(annotations), outputFiles = result.GetValue(outputs) ?? [], given = result.GetValue(names) ?? [];
            CheckCount("--outputs", outputFiles.Length, files.Length);
            CheckCount("--name", given.Length, files.Length);
            string ownMode = LeaderboardModes.Check(result.GetValue(mode)!, "--mode"), shown = LeaderboardModes.Check(result.GetValue(show)!, "--show");
            bool controlled = result.GetValue(lengthControlled);
            var control = new Control(
                result.GetValue(difficulty) is { } d ? InstructionDifficulty.Read(d) : null,
                result.GetValue(gamed) is { } g ? GamedBaselines.Read(g) : null,
                result.GetValue(weights) is { } w ? (w, GlmWeights.Read(w)) : null,
                result.GetValue(byInstruction));
            if (!controlled && (result.GetValue(difficulty) ?? result.GetValue(gamed) ?? result.GetValue(weights) ?? result.GetValue(saveWeights)) is not null)
            {
                throw new BadInputException("--difficulty, --gamed, --weights and --save-weights are of use with --length-controlled only.");
            }

            if (control.Gamed is not null && control.Difficulty is null)
            {
                throw new BadInputException("--gamed needs --difficulty: its rows have difficulties, and the model's need them too.");
            }

            var table = new LeaderboardTable();
            foreach (string file in result.GetValue(leaderboard) ?? [])
            {
                table.Merge(LeaderboardTable.Read(file));
            }

            var rows = new List<LeaderboardRow>();
            var fitted = new Dictionary<string, GlmWeights>();
            for (int i = 0; i < files.Length; i++)
            {
                foreach (var model in ModelAnnotations.Read(files[i], given.Length > 0 ? given[i] : null))
                {
                    if (rows.Any(r => r.Name == model.Name))
                    {
                        throw new BadInputException($"{files[i]}: the model '{model.Name}' was in a file before; give each its own --name.");
                    }

                    long? length = outputFiles.Length > 0 ? ModelScore.AverageLength(model, outputFiles[i]) : ModelScore.AverageLength(model);
                    var lc = controlled ? control.WinRate(model) : null;
                    if (lc is not null)
                    {
                        fitted[model.Name] = lc.Weights;
                        Console.Error.WriteLine($"{model.Name}: length control by {(control.Weights is null ? lc.Formula.Name() : "published weights")}.");
                    }

                    rows.Add(ModelScore.Row(model, ownMode, length, lc));
                    table.Merge(rows[^1]);
                }
            }

            table.Sort(result.GetValue(sortBy) ?? (controlled ? "length_controlled_winrate" : "win_rate"));
            Save(table, result.GetValue(output), result.GetValue(html), result.GetValue(saveWeights), fitted);
            if (result.GetValue(json))
            {
                rows.ForEach(r => StandardOutput.WriteLine(r.WriteTo));
            }
            else
            {
                LeaderboardPrinter.Print(table, shown, [.. rows.Select(r => r.Name)], result.GetValue(sortBy) ?? (controlled ? "length_controlled_winrate" : "win_rate"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static void CheckCount(string flag, int count, int files)
    {
        if (count != 0 && count != files)
        {
            throw new BadInputException($"{flag} must be given {files} times, once for each file of --annotations, not {count} times.");
        }
    }

    private static void Save(LeaderboardTable table, string? output, string? html, string? weights, Dictionary<string, GlmWeights> fitted)
    {
        if (output is not null)
        {
            table.Write(output);
        }

        if (html is not null)
        {
            TextFile.Write(html, HtmlReport.Leaderboard(table, "Leaderboard"));
        }

        if (weights is not null)
        {
            TextFile.Write(weights, GlmWeights.Write(fitted));
        }
    }

    private sealed record Control(InstructionDifficulty? Difficulty, GamedBaselines? Gamed, (string Path, IReadOnlyDictionary<string, GlmWeights> Of)? Weights, bool ByInstruction)
    {
        public LengthControlledWinRate WinRate(ModelAnnotations model)
        {
            if (Weights is not { } published)
            {
                return LengthControlledWinRate.Fit(model.Pairs, Difficulty, Gamed, ByInstruction);
            }

            return published.Of.TryGetValue(model.Name, out var weights)
                ? LengthControlledWinRate.Predict(model.Pairs, weights, Difficulty, ByInstruction)
                : throw new BadInputException($"{published.Path} has no weights for the model '{model.Name}'.");
        }
    }
}
