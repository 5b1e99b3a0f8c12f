using Farm.Models.Configuration;

namespace Farm.Roofline;

/// <summary>What is counted: AlpacaFarm's lengths, and those of published figures where they differ.</summary>
internal static class Workload
{
    /// <summary>Samples of a prompt.</summary>
    public const int Samples = 16;

    /// <summary>AlpacaFarm's longest prompt.</summary>
    public const int PromptTokens = 512;

    /// <summary>AlpacaFarm's longest response.</summary>
    public const int NewTokens = 300;

    /// <summary>Sequences and tokens of a training micro-batch, and sequences of a step (AlpacaFarm's supervised fine-tuning).</summary>
    public const int MicroBatch = 4, SequenceTokens = 512, StepSequences = 128;

    /// <summary>Prompts in flight.</summary>
    public static IReadOnlyList<int> Prompts { get; } = [1, 4, 32];

    /// <summary>The models.</summary>
    public static string[] Models { get; } = ["llama-7b", "llama-3.1-8b"];

    /// <summary>Counts models and writes the file after each pass's owner.</summary>
    public static void Count(IReadOnlyList<string> models, string file)
    {
        var passes = File.Exists(file) ? [.. Files.Counts(file)] : new List<PassCount>();
        foreach (string name in models)
        {
            var config = ModelShapes.Get(name);
            foreach (bool bf16 in new[] { true, false })
            {
                string activations = bf16 ? "bf16" : "f32";
                passes.RemoveAll(p => p.Model == name && p.Pass is ("prefill" or "decode") && p.Activations == activations);
                Console.Error.WriteLine($"{name}, best of {Samples}, {activations} activations");
                using var backend = new CountingBackend(bf16);
                using var counter = new DecodeCounter(backend, name, config, bf16);
                passes.Add(counter.Prefill(PromptTokens));
                passes.AddRange(Prompts.Select(p => counter.Step(p, Samples, PromptTokens, NewTokens / 2)));
                Files.SaveCounts(file, passes);
            }

            passes.RemoveAll(p => p.Model == name && p.Pass is ("gradients" or "update"));
            Console.Error.WriteLine($"{name}, supervised fine-tuning");
            using var training = new CountingBackend(bf16Activations: true);
            passes.AddRange(TrainingCounter.Count(training, name, config, MicroBatch, SequenceTokens));
            Files.SaveCounts(file, passes);
        }
    }
}
