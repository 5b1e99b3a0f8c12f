using System.CommandLine;
using Farm.Annotation.Baselines;
using Farm.Annotation.Completions;
using Farm.Annotation.Data;
using Farm.Annotation.Metrics;
using Farm.Annotation.Replies;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm compare-models</c>: two models' answers to the same instructions, side by side.</summary>
internal static class CompareModelsVerb
{
    private static readonly string[] Apis = ["openai", "text-generation"];

    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var input = new Option<string>("--input") { Description = "Rows with an instruction and perhaps an input.", HelpName = "FILE", Required = true };
        var output = new Option<string>("--output") { Description = "The rows with generator_1, output_1, generator_2 and output_2: pairs for farm annotate pairs.", HelpName = "FILE", Required = true };
        var maxInstances = new Option<int?>("--max-instances") { Description = "Rows to take.", HelpName = "N" };
        var concurrency = new Option<int>("--max-concurrency") { Description = "Rows in flight.", HelpName = "N", DefaultValueFactory = _ => 8 };
        var timeout = new Option<double>("--timeout") { Description = "Seconds that one attempt may take.", HelpName = "S", DefaultValueFactory = _ => 120 };
        var temperature = new Option<double>("--temperature") { Description = "The temperature.", HelpName = "T", DefaultValueFactory = _ => 0.7 };
        var maxTokens = new Option<int>("--max-tokens") { Description = "The longest answer.", HelpName = "N", DefaultValueFactory = _ => 512 };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        var sides = new[] { new Side(1), new Side(2) };
        var command = new Command("compare-models", "Asks two models behind OpenAI-compatible or text generation servers, and keeps both answers.");
        foreach (Option option in new Option[] { input, output, maxInstances, concurrency, timeout, temperature, maxTokens })
        {
            command.Options.Add(option);
        }

        sides[0].AddTo(command);
        sides[1].AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string file = result.GetRequiredValue(input), target = result.GetRequiredValue(output);
            var rows = RowFile.ReadSome(file, bareWords: true).Take(result.GetValue(maxInstances) ?? int.MaxValue).ToList();
            var decoding = new Decoding { Temperature = result.GetValue(temperature), MaxTokens = result.GetValue(maxTokens) };
            var wait = TimeSpan.FromSeconds(Math.Max(0.001, result.GetValue(timeout)));
            int inFlight = Math.Max(1, result.GetValue(concurrency));
            OutputFile.Check(target);
            using var first = sides[0].Open(result, client => ReplyJournal.Open($"{target}.journal.db", client), wait, inFlight, decoding);
            using var second = sides[1].Open(result, first.Journal.Before, wait, inFlight, decoding);
            if (first.Model.Model.Model == second.Model.Model.Model)
            {
                throw new BadInputException($"--model-1 and --model-2 are both called '{first.Model.Model.Model}'; their answers could not be told apart.");
            }

            var (pairs, failures) = AskingRun.Run("Asking", rows.Count, first.Ledger, first.Journal.Path, progress => ModelComparison.RunAsync(file, rows, first.Model, second.Model, inFlight, progress, cancellation), cancellation);
            TextFile.Write(target, PandasJson.Write(pairs));
            AskingRun.Report(result.GetValue(json), target, null, [("pairs", pairs.Count), ("failed", failures.Count)], [.. failures.Select(f => (f.Place, f.Reason))]);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The flags of one of the two models.</summary>
    private sealed class Side(int number)
    {
        private readonly Option<string> _model = new($"--model-{number}") { Description = "The model's name.", HelpName = "NAME", Required = true };
        private readonly Option<string?> _url = new($"--url-{number}") { Description = "Its server: for openai the address with /v1, for text-generation the address that is posted to.", HelpName = "URL" };
        private readonly Option<string> _api = new($"--api-{number}") { Description = "openai or text-generation.", HelpName = "API", DefaultValueFactory = _ => "openai" };
        private readonly Option<string?> _format = new($"--chat-format-{number}") { Description = $"How the model spells a conversation, where its server takes text: {string.Join(", ", ChatFormat.All.Select(f => f.Name))}.", HelpName = "FORMAT" };
        private readonly Option<string?> _system = new($"--system-{number}") { Description = "The system message.", HelpName = "TEXT" };

        public void AddTo(Command command)
        {
            foreach (Option option in new Option[] { _model, _url, _api, _format, _system })
            {
                command.Options.Add(option);
            }
        }

        public OpenSide Open(ParseResult result, Func<ICompletionClient, ReplyJournal> keep, TimeSpan timeout, int concurrency, Decoding decoding)
        {
            string model = result.GetRequiredValue(_model), api = result.GetValue(_api)!;
            string? url = result.GetValue(_url);
            var format = result.GetValue(_format) is { } name ? ChatFormat.Of(name) : null;
            ICompletionClient client;
            switch (api)
            {
                case "openai":
                    client = new OpenAiCompletionClient(OpenAiOptions.FromEnvironment(url) with { Timeout = timeout, MaxConcurrency = concurrency });
                    break;
                case "text-generation":
                    format ??= ChatFormat.Of("none");
                    client = new TextGenerationClient(
                        OpenAiOptions.Address(url ?? throw new BadInputException($"--api-{number} text-generation needs --url-{number}.")), TextGenerationClient.TokenFromEnvironment(), timeout);
                    break;
                default:
                    throw new BadInputException($"--api-{number} must be {string.Join(" or ", Apis)}, not '{api}'.");
            }

            try
            {
                var journal = keep(client);
                var ledger = new CostLedger();
                return new OpenSide(client, journal, ledger, new ComparedModel(new Respondent(journal, model, null, ledger), format, result.GetValue(_system), decoding));
            }
            catch
            {
                (client as IDisposable)?.Dispose();
                throw;
            }
        }
    }

    private sealed record OpenSide(ICompletionClient Client, ReplyJournal Journal, CostLedger Ledger, ComparedModel Model) : IDisposable
    {
        public void Dispose()
        {
            Journal.Dispose();
            (Client as IDisposable)?.Dispose();
        }
    }
}
