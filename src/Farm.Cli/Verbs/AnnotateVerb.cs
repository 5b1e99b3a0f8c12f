using System.CommandLine;
using Farm.Annotation.Annotating;
using Farm.Annotation.Data;
using Farm.Cli.Annotation;
using Farm.Cli.Options;

namespace Farm.Cli.Verbs;

/// <summary><c>farm annotate</c>: preferences and ratings by a judge.</summary>
internal static class AnnotateVerb
{
    /// <summary>Builds the verb with its own verbs.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var command = new Command("annotate", "Asks a judge: a language model behind an API by alpaca_eval's configurations, or the pocket world's judges.");
        command.Subcommands.Add(Pairs(cancellation));
        command.Subcommands.Add(SamplePairs(cancellation));
        command.Subcommands.Add(Models(cancellation));
        command.Subcommands.Add(AnnotateCacheVerbs.Import());
        command.Subcommands.Add(AnnotateCacheVerbs.Export());
        command.Subcommands.Add(AnnotateReparseVerb.Create());
        command.Subcommands.Add(SparseFeedbackVerbs.Ratings(cancellation));
        command.Subcommands.Add(SparseFeedbackVerbs.Rankings(cancellation));
        command.Subcommands.Add(UltraFeedbackVerb.Rate("ultrafeedback", cancellation));
        return command;
    }

    private static Command Pairs(CancellationToken cancellation)
    {
        var input = new Option<string>("--input") { Description = "Rows with instruction, input, output_1 and output_2: JSON, JSON Lines or CSV.", HelpName = "FILE", Required = true };
        var command = new Command("pairs", "Annotates pairs of outputs.");
        command.Options.Add(input);
        return Finish(
            command,
            new JudgeOptions(),
            result =>
            {
                string file = result.GetRequiredValue(input);
                return ([.. PairRow.Read(file).Select(p => p.Fields)], file);
            },
            cancellation);
    }

    private static Command SamplePairs(CancellationToken cancellation)
    {
        var input = new Option<string>("--input") { Description = "Rows with instruction, input and output, a list of texts, or a row for each.", HelpName = "FILE", Required = true };
        var all = new Option<bool>("--all-pairs") { Description = "A pair for each sample instead of one for each prompt." };
        var command = new Command("samples", "Pairs the samples of each prompt with one another and annotates the pairs.");
        command.Options.Add(input);
        command.Options.Add(all);
        var judge = new JudgeOptions();
        return Finish(
            command,
            judge,
            result =>
            {
                string file = result.GetRequiredValue(input);
                return (Samples.Pair(RowFile.Read(file), file, judge.Seed(result), !result.GetValue(all)), file);
            },
            cancellation);
    }

    private static Command Models(CancellationToken cancellation)
    {
        var reference = new Option<string>("--reference", "--outputs-1") { Description = "The reference's outputs, which become output_1.", HelpName = "FILE", Required = true };
        var outputs = new Option<string>("--outputs", "--outputs-2") { Description = "The model's outputs, which become output_2.", HelpName = "FILE", Required = true };
        var ordered = new Option<bool>("--is-ordered") { Description = "Row i belongs to row i." };
        var unmatched = new Option<bool>("--allow-unmatched") { Description = "Leaves out outputs whose instruction the reference has not." };
        var command = new Command("head2head", "Joins the outputs of two models and annotates the pairs.");
        command.Options.Add(reference);
        command.Options.Add(outputs);
        command.Options.Add(ordered);
        command.Options.Add(unmatched);
        return Finish(
            command,
            new JudgeOptions(),
            result =>
            {
                string first = result.GetRequiredValue(reference), second = result.GetRequiredValue(outputs);
                return (HeadToHead.Join(RowFile.Read(first), first, RowFile.Read(second), second, result.GetValue(ordered), result.GetValue(unmatched)), second);
            },
            cancellation);
    }

    private static Command Finish(Command command, JudgeOptions judge, Func<ParseResult, (IReadOnlyList<JsonRow> Rows, string Source)> read, CancellationToken cancellation)
    {
        var output = new Option<string>("--output") { Description = "File for the annotations, in alpaca_eval's layout.", HelpName = "OUT.json", Required = true };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        command.Options.Add(output);
        judge.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            var (rows, source) = read(result);
            return new AnnotationSession(result, judge, result.GetRequiredValue(output)).Run(rows, source, result.GetValue(json), cancellation);
        });
        return command;
    }
}
