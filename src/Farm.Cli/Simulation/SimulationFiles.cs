using System.Text.Json;
using Farm.Cli.Output;

namespace Farm.Cli.Simulation;

/// <summary>Where a simulation keeps what its stages make.</summary>
internal sealed class SimulationFiles(string output)
{
    /// <summary>The fine-tuned model that every method starts from.</summary>
    public string Policy => In("sft");

    /// <summary>The reward model of a kind of preferences.</summary>
    public string Reward(string kind) => In($"reward-{kind}");

    /// <summary>The preferences of a kind.</summary>
    public string Preferences(string kind) => In($"preferences-{kind}.json");

    /// <summary>A file or folder by its name.</summary>
    public string In(string name) => Path.Combine(output, name);

    /// <summary>Keeps the samples of each row.</summary>
    public void WriteSamples(string name, string[][] samples)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(samples);
        WholeFile.Write(In($"samples/{name}.json"), bytes);
    }

    /// <summary>Reads the samples of each row.</summary>
    public string[][] ReadSamples(string name) => JsonSerializer.Deserialize<string[][]>(File.ReadAllBytes(In($"samples/{name}.json")))!;
}
