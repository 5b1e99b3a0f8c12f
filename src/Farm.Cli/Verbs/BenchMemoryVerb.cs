using System.CommandLine;
using Farm.Cli.Kernels;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm bench memory</c>: the plan of a best-of-n run's device memory.</summary>
internal static class BenchMemoryVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Whose shape.", HelpName = string.Join('|', ModelShape.All.Select(m => m.Name)), DefaultValueFactory = _ => "llama-7b" };
        var samples = new Option<int>("-n") { Description = "Samples of a prompt.", HelpName = "N", DefaultValueFactory = _ => 16 };
        var prompts = new Option<int>("--prompts") { Description = "Prompts in flight.", HelpName = "P", DefaultValueFactory = _ => 32 };
        var promptTokens = new Option<int>("--prompt-tokens") { Description = "Tokens of a prompt.", HelpName = "T", DefaultValueFactory = _ => 512 };
        var newTokens = new Option<int>("--max-new-tokens") { Description = "Most tokens of a response.", HelpName = "T", DefaultValueFactory = _ => 128 };
        var memory = new Option<double>("--device-memory") { Description = "Gigabytes of the card.", HelpName = "GB", DefaultValueFactory = _ => 80 };
        var dtype = new Option<string>("--dtype") { Description = "Storage of the weights.", HelpName = "bf16|int8", DefaultValueFactory = _ => "bf16" };
        var command = new Command("memory", "Prints what best-of-n takes of a GPU's memory, whether it fits a card, how many prompts in flight do, and what to change: a plan by sizes, nothing is run.");
        foreach (Option option in new Option[] { model, samples, prompts, promptTokens, newTokens, memory, dtype })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            int Positive(Option<int> option) => result.GetValue(option) is >= 1 and var value ? value : throw new BadInputException($"{option.Name} must be at least 1, not {result.GetValue(option)}.");
            double bytes = result.GetValue(memory) is > 0 and var gigabytes ? gigabytes * 1e9 : throw new BadInputException($"--device-memory must be above 0, not {result.GetValue(memory)}.");
            var type = result.GetRequiredValue(dtype) switch
            {
                "bf16" => DType.BF16,
                "int8" => DType.I8,
                var other => throw new BadInputException($"--dtype must be bf16 or int8, not '{other}'."),
            };
            var plan = new BestOfNMemory(ModelShape.Parse(result.GetRequiredValue(model)), Positive(prompts), Positive(samples), Positive(promptTokens), Positive(newTokens), type);
            Console.Out.WriteLine(plan);
            foreach (string line in plan.Verdict(bytes))
            {
                Console.Out.WriteLine(line);
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
