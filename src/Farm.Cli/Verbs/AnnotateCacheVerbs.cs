using System.CommandLine;
using Farm.Annotation.Configuration;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Farm.Cli.Options;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm annotate import-cache</c> and <c>export-cache</c>: alpaca_eval's cache files.</summary>
internal static class AnnotateCacheVerbs
{
    /// <summary>Builds the verb that reads.</summary>
    public static Command Import()
    {
        var cache = new Option<string>("--cache") { Description = "alpaca_eval's annotations_seed0_configs.json, or an annotation file.", HelpName = "FILE", Required = true };
        var journal = new Option<string>("--journal") { Description = "The journal that takes it in.", HelpName = "FILE", Required = true };
        var judge = new JudgeOptions();
        var command = new Command("import-cache", "Takes annotations of alpaca_eval into a journal, so that they are not paid for again.");
        command.Options.Add(cache);
        command.Options.Add(journal);
        judge.AddJudgeTo(command);
        command.SetAction(result =>
        {
            IReadOnlyList<IPairwiseJudge> pool = JudgePool.Readers(JudgeFolders.Read(judge.Judge(result)));
            using var opened = AnnotationJournal.Open(result.GetRequiredValue(journal));
            var (imported, skipped) = AlpacaEvalCache.ImportAsync(opened, result.GetRequiredValue(cache), pool, judge.Seed(result)).GetAwaiter().GetResult();
            Console.Out.WriteLine($"{imported} annotations taken into {opened.Path}, {skipped} left out (identical outputs, no reply, or another annotator's).");
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Builds the verb that writes.</summary>
    public static Command Export()
    {
        var cache = new Option<string>("--cache") { Description = "The cache file; rows that it has stay in it.", HelpName = "FILE", Required = true };
        var journal = new Option<string>("--journal") { Description = "The journal.", HelpName = "FILE", Required = true };
        var annotator = new Option<string?>("--annotator") { Description = "One annotator alone.", HelpName = "NAME" };
        var seed = new Option<int>("--seed") { Description = "Seed of the annotations.", HelpName = "S" };
        var command = new Command("export-cache", "Writes a journal's annotations as a cache file of alpaca_eval.");
        foreach (var option in new Option[] { cache, journal, annotator, seed })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            string path = result.GetRequiredValue(journal);
            if (!File.Exists(path))
            {
                throw new BadInputException($"{path} does not exist.");
            }

            using var opened = AnnotationJournal.Open(path);
            string file = result.GetRequiredValue(cache);
            int rows = AlpacaEvalCache.Export(opened, file, result.GetValue(annotator), result.GetValue(seed));
            Console.Out.WriteLine($"{file}: {rows} rows");
            return ExitCodes.Done;
        });
        return command;
    }
}
