using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Pocket.Embedded;
using Farm.Training.Checkpoints;

namespace Farm.Cli.Verbs;

/// <summary>
/// <c>farm pocket train</c>: the models that Farm carries, from random weights: supervised fine-tuning, samples of the policy, preferences
/// over them, reward modeling. Every stage is a command of Farm that is printed before it runs. The preferences are the gold judge's: a model of this
/// size that learns from the pool's noisy ones ranks too badly to be of use (<c>--judge pool</c> shows it).
/// </summary>
internal static class PocketTrainVerb
{
    /// <summary>Files of a model folder that belong to the model and not to its training.</summary>
    private static readonly string[] s_modelFiles = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

    /// <summary>Builds the verb.</summary>
    /// <param name="run">Runs another command line of Farm and gives its exit code.</param>
    public static Command Create(Func<string[], int> run)
    {
        var output = new Option<string>("--output") { Description = "Folder of all stages; the same command again goes on where it ended.", HelpName = "DIR", Required = true };
        var threads = new Option<int>("--threads") { Description = "Threads of the kernels; they change no bit.", HelpName = "T", DefaultValueFactory = _ => Environment.ProcessorCount };
        var most = new Option<int?>("--max-instances") { Description = "Rehearses the recipe on the first K rows of each split, with short samples and few: models that are not the embedded ones.", HelpName = "K" };
        var device = new DeviceOption();
        var command = new Command("train", "Trains the embedded policy and reward model again, to the same bits on a CPU of the same vector width, and compares checksums.");
        command.Options.Add(output);
        command.Options.Add(threads);
        command.Options.Add(most);
        device.AddTo(command);
        command.SetAction(result =>
        {
            string folder = result.GetRequiredValue(output);
            if (File.Exists(folder))
            {
                throw new BadInputException($"--output {folder} is a file, not a folder.");
            }

            int? limit = result.GetValue(most);
            if (limit < 1)
            {
                throw new BadInputException($"--max-instances must be at least 1, not {limit}.");
            }

            var chosen = device.Read(result);
            string[] engine = ["--threads", result.GetValue(threads).ToString(CultureInfo.InvariantCulture), "--device", chosen.Name, .. chosen.CublasLt ? ["--blas", "cublaslt"] : Array.Empty<string>()];
            Begin(folder, limit is { } k ? $"on {chosen.Fingerprint} with --max-instances {k}" : $"on {chosen.Fingerprint}");
            double seconds = 0;
            foreach (var (name, arguments) in Recipe(folder, engine, limit))
            {
                var (code, taken) = Stage(folder, name, arguments, run);
                if (code != ExitCodes.Done)
                {
                    return code;
                }

                seconds += taken;
            }

            Finish(folder, seconds, limit);
            return ExitCodes.Done;
        });
        return command;
    }

    private static IEnumerable<(string Name, string[] Arguments)> Recipe(string folder, string[] engine, int? limit)
    {
        string At(string name) => Path.Combine(folder, name);
        string K(int count) => count.ToString(CultureInfo.InvariantCulture);
        // Pairs are fewer than the 500 that are held out of the whole recipe's.
        string[] rows = limit is { } most ? ["--max-instances", K(most)] : [], held = limit is { } few ? ["--eval-size", K(Math.Min(few / 10, 500))] : [];
        yield return ("data", ["pocket", "export", "--output", At("data")]);
        yield return ("base", ["pocket", "base", "--output", At("base")]);
        yield return ("policy",
        [
            "sft", "--model", At("base"), "--train", "pocket:sft", "--eval", "pocket:val", "--output", At("policy"), "--learning-rate", "4e-3", "--num-train-epochs", "9",
            "--per-device-train-batch-size", "32", "--gradient-accumulation-steps", "1", "--weight-decay", "0.1", "--model-max-length", "256", "--save-dtype", "bf16", .. rows, .. engine,
        ]);
        yield return ("samples",
        [
            "decode", "--model", At("policy"), "--input", At(Path.Combine("data", "alpaca_instructions", "preference.json")), "--output", At("samples.json"),
            "--num-return-sequences", "4", "--max-new-tokens", limit is null ? "64" : "16", "--restart", .. rows, .. engine,
        ]);
        yield return ("preferences", ["pocket", "prefer", "--input", At("samples.json"), "--output", At("preferences.json"), "--judge", "gold", "--pairs-per-row", "4"]);
        yield return ("reward",
        [
            "reward", "--model", At("policy"), "--train", At("preferences.json"), "--output", At("reward"), "--learning-rate", "1e-3", "--num-train-epochs", "3",
            "--per-device-train-batch-size", "64", "--gradient-accumulation-steps", "1", "--weight-decay", "0.1", "--model-max-length", "256", "--save-dtype", "bf16", .. held, .. engine,
        ]);
        yield return ("evaluation", ["pocket", "evaluate", "--policy", At("policy"), "--reward", At("reward"), .. limit is null ? Array.Empty<string>() : ["-n", "4"], .. rows, .. engine]);
    }

    /// <summary>Notes what run the folder holds, so that no stage of another one is taken over.</summary>
    private static void Begin(string folder, string run)
    {
        string note = Path.Combine(folder, ".run");
        try
        {
            Directory.CreateDirectory(folder);
            if (File.Exists(note) && File.ReadAllText(note) is var held && held != run)
            {
                throw new BadInputException($"{folder} holds a run {held}, and this one is {run}: name another folder.");
            }

            File.WriteAllText(note, run);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{folder} cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Runs a stage that is not done yet; its marker holds the seconds it took.</summary>
    private static (int Code, double Seconds) Stage(string folder, string name, string[] arguments, Func<string[], int> run)
    {
        string marker = Path.Combine(folder, $".{name}.done");
        bool last = name == "evaluation";
        if (!last && File.Exists(marker) && double.TryParse(File.ReadAllText(marker), NumberStyles.Float, CultureInfo.InvariantCulture, out double before))
        {
            return (ExitCodes.Done, before);
        }

        if (arguments[0] is "sft" or "reward" && new TrainingCheckpoints(Path.Combine(folder, name)).Steps().Count > 0)
        {
            arguments = [.. arguments, "--resume"];
        }

        Console.Error.WriteLine($"$ farm {string.Join(' ', arguments)}");
        long start = Stopwatch.GetTimestamp();
        int code = run(arguments);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (code == ExitCodes.Done && !last)
        {
            File.WriteAllText(marker, seconds.ToString("F1", CultureInfo.InvariantCulture));
        }

        return (code, last ? 0 : seconds);
    }

    /// <summary>Puts the models and their checksums into one folder, as the assembly carries them.</summary>
    private static void Finish(string folder, double seconds, int? limit)
    {
        string models = Path.Combine(folder, "models");
        var sums = new List<string>();
        foreach (string name in new[] { "policy", "reward" })
        {
            Directory.CreateDirectory(Path.Combine(models, name));
            foreach (string file in s_modelFiles)
            {
                string target = Path.Combine(models, name, file);
                File.Copy(Path.Combine(folder, name, file), target, overwrite: true);
                sums.Add($"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(target)))}  {name}/{file}");
            }
        }

        File.WriteAllText(Path.Combine(models, "SHA256SUMS"), string.Concat(sums.Select(s => s + "\n")));
        foreach (string sum in sums)
        {
            Console.Out.WriteLine(sum);
        }

        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{models}: trained in {seconds / 60:F1} minutes; {(limit is { } most ? $"a rehearsal, --max-instances {most}" : Compare(sums))}"));
    }

    private static string Compare(List<string> sums)
    {
        if (!EmbeddedModels.Available)
        {
            return "this build carries no models to compare with";
        }

        int equal = sums.Count(EmbeddedModels.Checksums.Contains);
        return equal == sums.Count
            ? "every file equals the embedded one"
            : $"{sums.Count - equal} of {sums.Count} files differ from the embedded ones (a CPU of another vector width may round differently)";
    }
}
