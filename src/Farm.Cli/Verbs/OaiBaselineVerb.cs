using System.CommandLine;
using Farm.Annotation.Baselines;
using Farm.Annotation.Data;
using Farm.Annotation.Metrics;
using Farm.Annotation.Replies;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm oai-baseline</c>: outputs of an API model on a split, with AlpacaFarm's prompts and decoding.</summary>
internal static class OaiBaselineVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var input = new Option<string>("--input") { Description = "Rows with instruction, input, dataset and datasplit.", HelpName = "FILE", Required = true };
        var output = new Option<string>("--output") { Description = "The outputs, in AlpacaFarm's form.", HelpName = "FILE", Required = true };
        var prompts = new Option<string?>("--prompts") { Description = "v0, char1k, char500, or a prompt dictionary; by the model unless given.", HelpName = "NAME|FILE" };
        var name = new Option<string?>("--name") { Description = "What stands in generator; the model unless given.", HelpName = "NAME" };
        var temperature = new Option<double>("--temperature") { Description = "The temperature.", HelpName = "T", DefaultValueFactory = _ => 0.7 };
        var topP = new Option<double>("--top-p") { Description = "The probability mass that is drawn from.", HelpName = "P", DefaultValueFactory = _ => 1 };
        var maxTokens = new Option<int>("--max-tokens") { Description = "The longest output.", HelpName = "N", DefaultValueFactory = _ => 300 };
        var maxInstances = new Option<int?>("--max-instances") { Description = "Rows to take.", HelpName = "N" };
        var chat = new Option<bool?>("--chat") { Description = "Uses the chat endpoint (false: the completion endpoint); by the model and the prompts unless given.", HelpName = "true|false" };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        var server = new ModelServerOptions("--model-name", "text-davinci-003", 5);
        var command = new Command("oai-baseline", "Outputs of an API model on a split, with AlpacaFarm's prompts and decoding.");
        foreach (Option option in new Option[] { input, output, prompts, name, temperature, topP, maxTokens, maxInstances, chat })
        {
            command.Options.Add(option);
        }

        server.AddTo(command);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            string file = result.GetRequiredValue(input), target = result.GetRequiredValue(output), model = server.Model(result);
            var used = result.GetValue(prompts) is { } given
                ? AlpacaPrompts.Load(given)
                : AlpacaPrompts.Of(model) ?? throw new BadInputException($"AlpacaFarm has no prompts for the model '{model}': give --prompts v0, char1k, char500 or a file.");
            var options = new BaselineOptions(used, result.GetValue(chat) ?? BaselineOptions.IsChatModel(model, used))
            {
                Decoding = new Decoding { Temperature = result.GetValue(temperature), TopP = result.GetValue(topP), MaxTokens = result.GetValue(maxTokens), FrequencyPenalty = 0, PresencePenalty = 0 },
                MaxConcurrency = server.MaxConcurrency(result),
                Generator = result.GetValue(name),
            };
            var rows = ModelBaseline.ReadRows(file, result.GetValue(maxInstances));
            OutputFile.Check(target);
            using var open = server.Open(result, target);
            var (outputs, failures) = AskingRun.Run("Asking", rows.Count, open, progress => ModelBaseline.RunAsync(open.Respondent, file, rows, options, progress, cancellation), cancellation);
            TextFile.Write(target, PandasJson.Write(outputs));
            AskingRun.Report(result.GetValue(json), target, open, [("outputs", outputs.Count), ("failed", failures.Count)], [.. failures.Select(f => (f.Place, f.Reason))]);
            return ExitCodes.Done;
        });
        return command;
    }
}
