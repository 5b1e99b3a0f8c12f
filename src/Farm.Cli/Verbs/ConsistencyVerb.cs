using System.CommandLine;
using System.Globalization;
using Farm.Annotation.SparseFeedback;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm consistency</c>: do ratings and rankings of the same responses agree?</summary>
internal static class ConsistencyVerb
{
    private static readonly string[] RatingNames = ["equal", "respA", "respB"], RankingNames = ["equal", "(a)", "(b)"];

    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var ratings = new Option<string>("--ratings") { Description = "Ratings: instruction, input, output, score, without a header.", HelpName = "CSV", Required = true };
        var rankings = new Option<string>("--rankings") { Description = "Rankings: instruction, input, output1, output2, feedback, without a header.", HelpName = "CSV", Required = true };
        var json = new Option<bool>("--json") { Description = "Prints the result as JSON." };
        var command = new Command("consistency", "How often ratings and rankings of the same responses say the same (Sparse Feedback).");
        command.Options.Add(ratings);
        command.Options.Add(rankings);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string ratingsFile = result.GetRequiredValue(ratings), rankingsFile = result.GetRequiredValue(rankings);
            var consistency = Consistency.Of(SparseFiles.ReadRatings(ratingsFile), SparseFiles.ReadRankings(rankingsFile));
            if (consistency.Total == 0)
            {
                throw new BadInputException($"{rankingsFile} has no pair of which {ratingsFile} rates both responses.");
            }

            if (result.GetValue(json))
            {
                Write(consistency);
            }
            else
            {
                Console.Out.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"consistency {consistency.Percent} % (standard error {consistency.StandardError:0.00}) over {consistency.Total} pairs, of {consistency.Ratings} ratings and {consistency.Rankings} rankings"));
                for (int i = 0; i < RatingNames.Length; i++)
                {
                    Console.Out.WriteLine($"ratings say {RatingNames[i],-5}: {string.Join(", ", RankingNames.Select((n, j) => $"{n} {consistency.Matrix[i][j]}"))}");
                }
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static void Write(Consistency consistency) => StandardOutput.WriteLine(w =>
    {
        w.WriteStartObject();
        w.WriteNumber("consistency", consistency.Percent);
        if (double.IsFinite(consistency.StandardError))
        {
            w.WriteNumber("standard_error", consistency.StandardError);
        }
        else
        {
            w.WriteNull("standard_error");
        }

        w.WriteNumber("n_total", consistency.Total);
        w.WriteNumber("n_ratings", consistency.Ratings);
        w.WriteNumber("n_rankings", consistency.Rankings);
        w.WriteStartObject("matrix");
        for (int i = 0; i < RatingNames.Length; i++)
        {
            w.WriteStartArray(RatingNames[i]);
            foreach (int n in consistency.Matrix[i])
            {
                w.WriteNumberValue(n);
            }

            w.WriteEndArray();
        }

        w.WriteEndObject();
        w.WriteEndObject();
    });
}
