using System.CommandLine;
using Farm.Annotation.Annotating;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm annotate reparse</c>: reads the raw replies of an annotation file anew and compares.</summary>
internal static class AnnotateReparseVerb
{
    private const double StoredPrecision = 1e-9;

    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var annotations = new Option<string>("--annotations") { Description = "An annotation file with raw replies.", HelpName = "FILE", Required = true };
        var output = new Option<string?>("--output") { Description = "File for the rows with the preferences read anew.", HelpName = "OUT.json" };
        var json = new Option<bool>("--json") { Description = "Prints JSON." };
        var judge = new JudgeOptions();
        var command = new Command("reparse", "Reads stored replies anew by a judge's parser and the drawn order, and counts where the stored preference differs.");
        command.Options.Add(annotations);
        judge.AddJudgeTo(command);
        command.Options.Add(output);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string file = result.GetRequiredValue(annotations);
            var pool = JudgePool.Readers(JudgeFolders.Read(judge.Judge(result)));
            int replies = 0, equal = 0, unparsed = 0;
            var rows = new List<JsonRow>();
            foreach (var judgment in AnnotationRows.Read(file))
            {
                var reader = pool.Count == 1 ? pool[0] : pool.FirstOrDefault(j => j.Name == judgment.Annotator.Name)
                    ?? throw new BadInputException($"{file}, row {rows.Count + 1}, field 'annotator': '{judgment.Annotator.Name}' is none of {string.Join(", ", pool.Select(j => j.Name))}.");
                var verdict = StoredReplies.Read(reader, judgment, judge.Seed(result));
                if (verdict is not null)
                {
                    replies++;
                    unparsed += verdict.Preference is null ? 1 : 0;
                    equal += verdict.Preference is null == judgment.Preference is null && Math.Abs((verdict.Preference ?? 0) - (judgment.Preference ?? 0)) < StoredPrecision ? 1 : 0;
                }

                rows.Add(AnnotationRows.ToRow(verdict is null ? judgment : judgment with { Preference = verdict.Preference }));
            }

            if (result.GetValue(output) is { } path)
            {
                OutputFile.Check(path);
                OutputFile.Guard(path, () => File.WriteAllText(path, PandasJson.Write(rows)));
            }

            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteNumber("rows", rows.Count);
                    w.WriteNumber("replies", replies);
                    w.WriteNumber("equal", equal);
                    w.WriteNumber("unparsed", unparsed);
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine($"{rows.Count} rows, {replies} with a reply: {equal} preferences as stored, {replies - equal} not; {unparsed} replies say none.");
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
