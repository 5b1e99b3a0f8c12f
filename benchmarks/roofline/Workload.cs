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

    /// <summary>Counts models and writes the file after each pass's owner; what peers run as well comes first.</summary>
    public static void Count(IReadOnlyList<string> models, string file)
    {
        var passes = File.Exists(file) ? [.. Files.Counts(file)] : new List<PassCount>();
        foreach (string name in models)
        {
            BestOf(name, bf16: true, passes, file);
            Train(name, passes, file);
        }

        foreach (string name in models)
        {
            BestOf(name, bf16: false, passes, file);
        }
    }

    private static void BestOf(string name, bool bf16, List<PassCount> passes, string file)
    {
        string activations = bf16 ? "bf16" : "f32";
        Console.Error.WriteLine($"{name}, best of {Samples}, {activations} activations");
        using var backend = new CountingBackend(bf16);
        using var counter = new DecodeCounter(backend, name, ModelShapes.Get(name), bf16);
        List<PassCount> counted = [counter.Prefill(PromptTokens), .. Prompts.Select(p => counter.Step(p, Samples, PromptTokens, NewTokens / 2))];
        passes.RemoveAll(p => p.Model == name && p.Pass is ("prefill" or "decode") && p.Activations == activations);
        passes.AddRange(counted);
        Files.SaveCounts(file, passes);
    }

    private static void Train(string name, List<PassCount> passes, string file)
    {
        Console.Error.WriteLine($"{name}, supervised fine-tuning");
        using var backend = new CountingBackend(bf16Activations: true);
        List<PassCount> counted = [.. TrainingCounter.Count(backend, name, ModelShapes.Get(name), MicroBatch, SequenceTokens)];
        passes.RemoveAll(p => p.Model == name && p.Pass is ("gradients" or "update"));
        passes.AddRange(counted);
        Files.SaveCounts(file, passes);
    }
}
