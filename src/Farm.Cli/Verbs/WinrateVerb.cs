using System.CommandLine;
using System.Globalization;
using Farm.Annotation.SparseFeedback;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm winrate</c>: the aligned model against the reference, from Sparse Feedback's files.</summary>
internal static class WinrateVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var ratings = new Option<string[]>("--ratings") { Description = "Two files of ratings: the reference's, then the model's.", HelpName = "REFERENCE.csv MODEL.csv", AllowMultipleArgumentsPerToken = true };
        var rankings = new Option<string?>("--rankings") { Description = "Rankings of the reference's output (a) against the model's (b).", HelpName = "CSV" };
        var json = new Option<bool>("--json") { Description = "Prints the result as JSON." };
        var command = new Command("winrate", "Win rate of a model against a reference, from ratings or from rankings (Sparse Feedback).");
        command.Options.Add(ratings);
        command.Options.Add(rankings);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string[] files = result.GetValue(ratings) ?? [];
            string? ranked = result.GetValue(rankings);
            if (files.Length > 0 == (ranked is not null))
            {
                throw new BadInputException("Give either --ratings with two files or --rankings with one.");
            }

            if (files.Length is not (0 or 2))
            {
                throw new BadInputException($"--ratings takes two files, the reference's and the model's, not {files.Length}.");
            }

            var rate = ranked is not null
                ? SparseWinRate.OfRankings(SparseFiles.ReadRankings(ranked))
                : SparseWinRate.OfRatings(SparseFiles.ReadRatings(files[0]), SparseFiles.ReadRatings(files[1]));
            if (rate.Total == 0)
            {
                throw new BadInputException($"{files[0]} and {files[1]} have no instruction in common.");
            }

            if (!result.GetValue(json))
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"win rate {rate.Percent} % ± {rate.ConfidenceInterval} (95 % interval) over {rate.Total} pairs"));
                return ExitCodes.Done;
            }

            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                w.WriteNumber("win_rate", rate.Percent);
                foreach (var (name, value) in new[] { ("standard_error", rate.StandardError), ("confidence_interval", rate.ConfidenceInterval) })
                {
                    if (double.IsFinite(value))
                    {
                        w.WriteNumber(name, value);
                    }
                    else
                    {
                        w.WriteNull(name);
                    }
                }

                w.WriteNumber("n_total", rate.Total);
                w.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
