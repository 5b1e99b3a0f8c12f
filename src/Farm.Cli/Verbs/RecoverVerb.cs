using System.CommandLine;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Training.Checkpoints;

namespace Farm.Cli.Verbs;

/// <summary><c>farm recover</c>: a released AlpacaFarm model from its base and weight difference.</summary>
internal static class RecoverVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var baseModel = new Option<string>("--base") { Description = "Folder of the base model.", HelpName = "DIR", Required = true };
        var diff = new Option<string>("--diff") { Description = "Folder of the difference.", HelpName = "DIR", Required = true };
        var output = new Option<string>("--output") { Description = "Folder to make; it must be empty or new.", HelpName = "DIR", Required = true };
        var dtype = new Option<string>("--dtype") { Description = "How the weights are stored.", HelpName = "f32|bf16", DefaultValueFactory = _ => "f32" };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        var command = new Command(
            "recover",
            "Adds a weight difference to its base model, tensor by tensor, and checks the sum of the weights against the difference's model_sum.txt. Nothing is written if they do not agree.");
        foreach (Option option in new Option[] { baseModel, diff, output, dtype, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            var type = result.GetRequiredValue(dtype) switch
            {
                "f32" => DType.F32,
                "bf16" => DType.BF16,
                var other => throw new BadInputException($"--dtype must be f32 or bf16 here, not '{other}'."),
            };
            string folder = result.GetRequiredValue(output);
            var recovered = ModelRecovery.Recover(result.GetRequiredValue(baseModel), result.GetRequiredValue(diff), folder, type);
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("output", folder);
                    w.WriteNumber("tensors", recovered.Tensors);
                    w.WriteNumber("sum", recovered.Sum);
                    w.WriteBoolean("checked", recovered.ExpectedSum is not null);
                    w.WriteEndObject();
                });
            }
            else
            {
                string check = recovered.ExpectedSum is null ? "the difference states no sum to check" : "the sum of the weights is as stated";
                Console.Out.WriteLine($"{recovered.Tensors} tensors, {check}: {folder}");
            }

            return ExitCodes.Done;
        });
        return command;
    }
}
