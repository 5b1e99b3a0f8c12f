using System.CommandLine;
using Farm.Annotation.Metrics;
using Farm.Annotation.Metrics.Analysis;
using Farm.Annotation.Metrics.Report;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm analyze</c>: how good judges are, from their annotations.</summary>
internal static class AnalyzeVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var annotations = new Option<string[]>("--annotations") { Description = "Annotations, one judge each; several rows of one pair are its several votes.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
        var gold = new Option<string?>("--gold") { Description = "Annotations by people, several votes a pair, that the judges are to agree with.", HelpName = "FILE" };
        var names = new Option<string[]>("--name") { Description = "The judges' names, as many as files; the field annotator, or else the folder's name, unless given.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
        var rule = new Option<string>("--scoring-rule") { Description = "absolute, zero_one or squared.", HelpName = "RULE", DefaultValueFactory = _ => "absolute" };
        var leastRows = new Option<int>("--min-rows") { Description = "A model counts in the correlations from more than this many rows of --gold on.", HelpName = "N", DefaultValueFactory = _ => 100 };
        var output = new Option<string?>("--output") { Description = "Writes the table of judges.", HelpName = "CSV" };
        var html = new Option<string?>("--html") { Description = "Writes a page with plots.", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Prints one JSON object per judge." };
        var command = new Command("analyze", "Agreement, bias, variance and correlation of judges, and what they prefer apart from quality.");
        foreach (Option option in new Option[] { annotations, gold, names, rule, leastRows, output, html, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            string[] files = result.GetRequiredValue(annotations), given = result.GetValue(names) ?? [];
            if (given.Length > 0 && given.Length != files.Length)
            {
                throw new BadInputException($"--name must be given {files.Length} times, once for each file of --annotations, not {given.Length} times.");
            }

            var scoring = result.GetValue(rule) switch
            {
                "absolute" => ScoringRule.Absolute,
                "zero_one" => ScoringRule.ZeroOne,
                "squared" => ScoringRule.Squared,
                var other => throw new BadInputException($"--scoring-rule must be absolute, zero_one or squared, not '{other}'."),
            };
            var truth = result.GetValue(gold) is { } goldFile ? AnnotationFile.Read(goldFile) : null;
            var table = new LeaderboardTable();
            var rows = new List<LeaderboardRow>();
            for (int i = 0; i < files.Length; i++)
            {
                var pairs = AnnotationFile.Read(files[i]);
                foreach (var pair in pairs)
                {
                    Check(pair);
                }

                string name = given.Length > 0 ? given[i] : JudgeName(files[i], pairs);
                if (rows.Any(r => r.Name == name))
                {
                    throw new BadInputException($"{files[i]}: the judge '{name}' was in a file before; give each its own --name.");
                }

                rows.Add(EvaluatorAnalysis.Row(name, pairs, truth, scoring, leastRows: result.GetValue(leastRows)));
                table.Merge(rows[^1]);
            }

            if (truth is not null)
            {
                table.Sort(EvaluatorAnalysis.Columns[0]);
            }

            if (result.GetValue(output) is { } csv)
            {
                table.Write(csv);
            }

            if (result.GetValue(html) is { } page)
            {
                TextFile.Write(page, HtmlReport.Evaluators(table, "Judges"));
            }

            if (result.GetValue(json))
            {
                rows.ForEach(r => StandardOutput.WriteLine(r.WriteTo));
            }
            else
            {
                LeaderboardPrinter.Print(table);
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static void Check(ScoredPair pair)
    {
        string? missing = pair.Instruction is null ? "instruction" : pair.Output1 is null ? "output_1" : pair.Output2 is null ? "output_2" : null;
        if (missing is not null)
        {
            throw new BadInputException($"{pair.Place}: the field '{missing}' is missing.");
        }
    }

    private static string JudgeName(string path, IReadOnlyList<ScoredPair> pairs) =>
        pairs.Select(p => p.Annotator).OfType<string>().Distinct().ToList() is [var only]
            ? only
            : Directory.GetParent(Path.GetFullPath(path))?.Name is { Length: > 0 } folder ? folder : path;
}
