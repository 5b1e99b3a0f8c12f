using System.CommandLine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Pocket;

namespace Farm.Cli.Verbs;

/// <summary><c>farm pocket base</c>: the untrained model that the pocket models are trained from.</summary>
internal static class PocketBaseVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var output = new Option<string>("--output") { Description = "Folder of the model.", HelpName = "DIR", Required = true };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the random weights.", HelpName = "S" };
        var command = new Command("base", "Writes a small model with random weights and the pocket world's tokenizer, for farm sft to start from.");
        command.Options.Add(output);
        command.Options.Add(seed);
        command.SetAction(result =>
        {
            string folder = FlagChecks.OutputFolder(result.GetRequiredValue(output));
            RandomCheckpoint.Write(folder, PocketWorld.PolicyConfig, result.GetValue(seed), DType.F32);
            PocketWorld.Default.WriteTokenizer(folder);
            Console.Out.WriteLine($"{folder}: {TensorLayout.ParameterCount(PocketWorld.PolicyConfig)} parameters, {PocketWorld.VocabularySize} tokens");
            return ExitCodes.Done;
        });
        return command;
    }
}
