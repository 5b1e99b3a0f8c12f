using System.Text.Json;

namespace Farm.Cli.Tests.Support;

/// <summary>Input files.</summary>
internal static class Rows
{
    /// <summary>A JSON file of so many instructions; every third has an input, all have a field of their own.</summary>
    public static string Write(TemporaryFolder folder, int count, string name = "in.json") => folder.Write(name, JsonSerializer.Serialize(
        Enumerable.Range(0, count).Select(i => new
        {
            instruction = $"Say number {i} – ünï",
            input = i % 3 == 0 ? $"in {i}" : "",
            generator = "someone",
            output = "old",
            dataset = $"set{i}",
        })));
}
