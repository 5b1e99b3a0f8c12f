using System.Text.Json.Nodes;
using Farm.Models.Configuration;

namespace Farm.Training.Checkpoints;

/// <summary>Everything that decides the numbers of a run: what the caller knows of it (models, data) and what the method adds. A checkpoint keeps it, and is only gone on with where it is the same.</summary>
internal static class RunFingerprint
{
    /// <summary>A copy of what was given, with more fields.</summary>
    public static JsonObject With(JsonObject given, params ReadOnlySpan<(string Name, JsonNode Value)> fields)
    {
        var all = (JsonObject)given.DeepClone();
        foreach (var (name, value) in fields)
        {
            all[name] = value;
        }

        return all;
    }

    /// <summary>The sizes of a model.</summary>
    public static string Shape(ModelConfig config) =>
        $"{config.VocabularySize} {config.HiddenSize} {config.IntermediateSize} {config.Layers} {config.AttentionHeads} {config.KeyValueHeads} {config.HeadDim}";
}
