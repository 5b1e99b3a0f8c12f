using System.CommandLine;
using System.Text;
using System.Text.Json;
using Farm.Annotation.Metrics;
using Farm.Annotation.Replies;
using Farm.Annotation.SparseFeedback;
using Farm.Cli.Options;
using Farm.Cli.Output;

namespace Farm.Cli.Verbs;

/// <summary><c>farm annotate ratings</c>, <c>farm annotate rankings</c> and <c>farm sparse-feedback</c>.</summary>
internal static class SparseFeedbackVerbs
{
    private const string DefaultModel = "gpt-3.5-turbo";

    /// <summary>The command that gets ratings.</summary>
    public static Command Ratings(CancellationToken cancellation)
    {
        var shared = new Shared("rating", "{instruction} and {response}", "instruction, input, response");
        var command = new Command("ratings", "Rates responses from 1 to 7 (Sparse Feedback).");
        shared.AddTo(command);
        command.SetAction(result =>
        {
            var rows = SparseFiles.ReadResponses(shared.Input(result));
            return shared.Run(result, rows.Count, prompts: t => SparsePrompts.Create(ratingPath: t, nanInput: shared.NanInput(result)), work: (annotator, progress) => annotator.RateAsync(rows, progress, cancellation), SparseFiles.WriteRatings, cancellation);
        });
        return command;
    }

    /// <summary>The command that gets rankings.</summary>
    public static Command Rankings(CancellationToken cancellation)
    {
        var shared = new Shared("ranking", "{instruction}, {response_1} and {response_2}", "instruction, input, response1, response2");
        var command = new Command("rankings", "Compares pairs of responses, each in both orders (Sparse Feedback).");
        shared.AddTo(command);
        command.SetAction(result =>
        {
            var rows = SparseFiles.ReadPairs(shared.Input(result));
            return shared.Run(result, rows.Count, prompts: t => SparsePrompts.Create(rankingPath: t, nanInput: shared.NanInput(result)), work: (annotator, progress) => annotator.RankAsync(rows, progress, cancellation), SparseFiles.WriteRankings, cancellation);
        });
        return command;
    }

    /// <summary>The commands that convert files.</summary>
    public static Command Conversions()
    {
        var command = new Command("sparse-feedback", "Conversions between Sparse Feedback's files.");
        command.Subcommands.Add(Conversion("ratings-input", "Every response of a generation file as a row to be rated.", [("--generations", "instruction, input, responses")],
            f => SparseFiles.WriteResponses(SparseConversions.Responses(f[0]))));
        command.Subcommands.Add(Conversion("rankings-input", "Every two responses of a generation file as a pair to be compared.", [("--generations", "instruction, input, responses")],
            f => SparseFiles.WritePairs(SparseConversions.Pairs(f[0]))));
        command.Subcommands.Add(Conversion("ratings-eval", "A model's outputs as rows to be rated.", [("--outputs", "instruction, output, dataset")],
            f => SparseFiles.WriteResponses(SparseConversions.EvaluationResponses(f[0]))));
        command.Subcommands.Add(Conversion("rankings-eval", "The reference's and a model's outputs as pairs to be compared.", [("--reference", "instruction, output"), ("--outputs", "instruction, output")],
            f => SparseFiles.WritePairs(SparseConversions.EvaluationPairs(f[0], f[1]))));
        command.Subcommands.Add(Conversion("reward-rankings", "Rankings as data for farm reward --objective rankings.", [("--rankings", "instruction, input, output1, output2, feedback, no header")],
            f => SparseConversions.RewardData(SparseFiles.ReadRankings(f[0]))));
        command.Subcommands.Add(Conversion("reward-ratings", "Ratings as data for farm reward --objective ratings.", [("--ratings", "instruction, input, output, score, no header")],
            f => SparseConversions.RewardData(SparseFiles.ReadRatings(f[0]))));
        return command;
    }

    private static Command Conversion(string name, string description, (string Flag, string Fields)[] inputs, Func<string[], string> convert)
    {
        var command = new Command(name, description);
        Option<string>[] flags = [.. inputs.Select(i => new Option<string>(i.Flag) { Description = $"Rows with {i.Fields}.", HelpName = "FILE", Required = true })];
        var output = new Option<string>("--output") { Description = "Where to write the result.", HelpName = "FILE", Required = true };
        foreach (var flag in flags)
        {
            command.Options.Add(flag);
        }

        command.Options.Add(output);
        command.SetAction(result =>
        {
            string file = result.GetRequiredValue(output);
            TextFile.Write(file, convert([.. flags.Select(result.GetRequiredValue)]));
            Console.Out.WriteLine(file);
            return ExitCodes.Done;
        });
        return command;
    }

    private sealed class Shared(string kind, string slots, string fields)
    {
        private readonly Option<string> _input = new("--input") { Description = $"CSV with the header {fields}.", HelpName = "CSV", Required = true };
        private readonly Option<string> _output = new("--output") { Description = "Feedback as CSV without a header; what failed stands beside it in OUTPUT.failures.jsonl.", HelpName = "CSV", Required = true };
        private readonly Option<string?> _template = new("--template") { Description = $"A {kind} prompt of your own, with {slots}.", HelpName = "FILE" };
        private readonly Option<bool> _nanInput = new("--nan-input") { Description = "Shows the judge an input of nan where there is none, as Sparse Feedback's own scripts do." };
        private readonly Option<double?> _temperature = new("--temperature") { Description = "The temperature; the server's own unless given.", HelpName = "T" };
        private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "The longest reply; the server's own limit unless given.", HelpName = "N" };
        private readonly Option<bool> _json = new("--json") { Description = "Prints what was done as JSON." };
        private readonly ModelServerOptions _server = new("--judge-model", DefaultModel, 16);

        public void AddTo(Command command)
        {
            foreach (Option option in new Option[] { _input, _output, _template, _nanInput, _temperature, _maxTokens })
            {
                command.Options.Add(option);
            }

            _server.AddTo(command);
            command.Options.Add(_json);
        }

        public string Input(ParseResult result) => result.GetRequiredValue(_input);

        public bool NanInput(ParseResult result) => result.GetValue(_nanInput);

        public int Run<T>(
            ParseResult result,
            int rows,
            Func<string?, SparsePrompts> prompts,
            Func<SparseAnnotator, Action, Task<(IReadOnlyList<T> Results, IReadOnlyList<SparseFailure> Failures)>> work,
            Func<IEnumerable<T>, string> write,
            CancellationToken cancellation)
        {
            string output = result.GetRequiredValue(_output);
            var asked = prompts(result.GetValue(_template));
            OutputFile.Check(output);
            using var server = _server.Open(result, output);
            var decoding = new Decoding { Temperature = result.GetValue(_temperature), MaxTokens = result.GetValue(_maxTokens) };
            var annotator = new SparseAnnotator(server.Respondent, asked, decoding, _server.MaxConcurrency(result));
            var (results, failures) = AskingRun.Run("Annotating", rows, server, progress => work(annotator, progress), cancellation);
            TextFile.Write(output, write(results));
            WriteFailures($"{output}.failures.jsonl", failures);
            AskingRun.Report(result.GetValue(_json), output, server, [("annotated", results.Count), ("failed", failures.Count)], [.. failures.Select(f => (f.Place, f.Reason))]);
            return ExitCodes.Done;
        }

        private static void WriteFailures(string path, IReadOnlyList<SparseFailure> failures)
        {
            if (failures.Count == 0)
            {
                File.Delete(path);
                return;
            }

            var lines = new StringBuilder();
            foreach (var failure in failures)
            {
                using var stream = new MemoryStream();
                using (var writer = new Utf8JsonWriter(stream, OutputFile.Compact))
                {
                    writer.WriteStartObject();
                    writer.WriteString("place", failure.Place);
                    writer.WriteString("reason", failure.Reason);
                    writer.WriteStartArray("replies");
                    foreach (string reply in failure.Replies)
                    {
                        writer.WriteStringValue(reply);
                    }

                    writer.WriteEndArray();
                    writer.WriteEndObject();
                }

                lines.Append(Encoding.UTF8.GetString(stream.ToArray())).Append('\n');
            }

            TextFile.Write(path, lines.ToString());
        }
    }
}
