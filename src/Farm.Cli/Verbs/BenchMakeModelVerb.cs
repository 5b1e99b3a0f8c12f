using System.CommandLine;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Cli.Verbs;

/// <summary><c>farm bench make-model</c>: a checkpoint of a well-known shape with random weights.</summary>
internal static class BenchMakeModelVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create()
    {
        var shape = new Option<string>("--shape") { Description = $"One of {string.Join(", ", ModelShapes.Names)}.", HelpName = "NAME", Required = true };
        var output = new Option<string>("--output") { Description = "Folder to make; it must be empty or new.", HelpName = "DIR", Required = true };
        var dtype = new Option<string>("--dtype") { Description = "How the weights are stored.", HelpName = "bf16|f32", DefaultValueFactory = _ => "bf16" };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the weights.", HelpName = "S" };
        var reward = new Option<bool>("--reward") { Description = "Makes a reward model of that shape." };
        var json = new Option<bool>("--json") { Description = "Prints what was made as JSON." };
        var command = new Command("make-model", "Writes a checkpoint with random weights, for benchmarks; it has no tokenizer.");
        command.Options.Add(shape);
        command.Options.Add(output);
        command.Options.Add(dtype);
        command.Options.Add(seed);
        command.Options.Add(reward);
        command.Options.Add(json);
        command.SetAction(result =>
        {
            var config = ModelShapes.Get(result.GetRequiredValue(shape));
            string name = result.GetRequiredValue(dtype);
            var type = name switch
            {
                "bf16" => DType.BF16,
                "f32" => DType.F32,
                _ => throw new BadInputException($"--dtype must be bf16 or f32 here, not '{name}'."),
            };
            string folder = result.GetRequiredValue(output);
            if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
            {
                throw new BadInputException($"--output {folder} is there already; name a new or empty folder.");
            }

            Write(folder, config, result.GetValue(seed), type, result.GetValue(reward));
            long bytes = new DirectoryInfo(folder).EnumerateFiles().Sum(f => f.Length);
            if (result.GetValue(json))
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("output", folder);
                    w.WriteNumber("bytes", bytes);
                    w.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine(FormattableString.Invariant($"{folder}: {bytes / 1048576.0:F0} MiB"));
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static void Write(string folder, ModelConfig config, ulong seed, DType type, bool reward)
    {
        if (reward)
        {
            RandomCheckpoint.WriteReward(folder, config, seed, type);
        }
        else
        {
            RandomCheckpoint.Write(folder, config, seed, type);
        }
    }
}
