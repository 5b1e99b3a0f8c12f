using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Configuration;

/// <summary>
/// The config.json of an AlpacaFarm reward model: <c>model_type</c> is <c>reward_model</c>, and <c>backbone_model_name_or_path</c> names the folder
/// whose config.json describes the decoder. Its weights are <c>backbone_model.*</c>, <c>reward_head.weight</c> [1, hidden] and <c>reward_head.bias</c> [1].
/// </summary>
/// <param name="Backbone">The decoder under the head.</param>
/// <param name="BackboneFolder">The folder its configuration came from; the reward model's own if that holds the fields itself.</param>
public sealed record RewardModelConfig(ModelConfig Backbone, string BackboneFolder)
{
    internal const string Type = "reward_model";
    private const string PathField = "backbone_model_name_or_path", BackboneTypeField = "backbone_model_type";

    /// <summary>
    /// Reads a reward model's configuration; null if the folder's model is not one. Where config.json has the decoder's fields
    /// itself (as <see cref="Save"/> writes them) those are used; else the backbone's path is taken relative to this folder, then to
    /// <paramref name="workingDirectory"/> (the process's by default), as AlpacaFarm does.
    /// </summary>
    /// <exception cref="BadInputException">The configuration or the backbone's is missing or cannot be used.</exception>
    public static RewardModelConfig? TryLoad(string folder, string? workingDirectory = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new BadInputException($"{folder}: there is no such folder.");
        }

        string path = Path.Combine(folder, "config.json");
        using var document = JsonFile.ReadObject(path);
        var fields = new JsonFields(document.RootElement, path);
        if (fields.Text("model_type") != Type)
        {
            return null;
        }

        if (fields.Has("hidden_size"))
        {
            string type = fields.Text(BackboneTypeField) ?? "llama";
            return type is "llama" or "mistral" or "qwen2"
                ? new RewardModelConfig(ModelConfigReader.WithGenerationConfig(ModelConfigReader.Parse(fields, type), folder), folder)
                : throw fields.Bad(BackboneTypeField, $"names the architecture '{type}', which is not supported; llama, mistral and qwen2 are");
        }

        string backbone = Resolve(fields, folder, workingDirectory ?? Environment.CurrentDirectory);
        return new RewardModelConfig(ModelConfig.Load(backbone), backbone);
    }

    /// <summary>
    /// Writes a reward model's config.json that holds the decoder's fields itself, so that the folder can be moved, and also
    /// <paramref name="backbonePath"/>, which AlpacaFarm reads.
    /// </summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public static void Save(ModelConfig backbone, string backbonePath, string folder)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        ModelConfigWriter.Save(folder, json =>
        {
            json.WriteStartArray("architectures");
            json.WriteStringValue("RewardModel");
            json.WriteEndArray();
            json.WriteString("model_type", Type);
            json.WriteString(PathField, backbonePath);
            json.WriteString(BackboneTypeField, backbone.ModelType);
            ModelConfigWriter.WriteFields(json, backbone);
        });
    }

    private static string Resolve(JsonFields fields, string folder, string workingDirectory)
    {
        string? stated = fields.Text(PathField);
        if (string.IsNullOrWhiteSpace(stated) || stated.Contains('\0'))
        {
            throw fields.Bad(PathField, "is missing or empty; it names the folder of the model under the reward head");
        }

        foreach (string start in (ReadOnlySpan<string>)[folder, workingDirectory])
        {
            string candidate = Path.GetFullPath(Path.Combine(start, stated));
            if (File.Exists(Path.Combine(candidate, "config.json")))
            {
                return candidate;
            }
        }

        throw fields.Bad(PathField, $"is '{stated}', but there is no config.json there, relative neither to {folder} nor to {workingDirectory}");
    }
}
