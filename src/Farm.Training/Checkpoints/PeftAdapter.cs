using System.Text.Json;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Model;

namespace Farm.Training.Checkpoints;

/// <summary>Saves and loads adapters in the format of Hugging Face's peft: adapter_config.json and adapter_model.safetensors.</summary>
public static class PeftAdapter
{
    private const string ConfigFile = "adapter_config.json", TensorFile = "adapter_model.safetensors", Prefix = "base_model.model.";
    private static readonly string[] Unsupported = ["use_rslora", "use_dora", "fan_in_fan_out"];

    /// <summary>Writes the adapters of a model, and its reward head if it has one.</summary>
    /// <param name="model">A model with adapters.</param>
    /// <param name="baseModel">Path of the base model, recorded in the configuration.</param>
    /// <param name="folder">Folder to write; created if need be.</param>
    /// <exception cref="BadInputException">A file cannot be written.</exception>
    public static void Save(TrainableLlama model, string baseModel, string folder)
    {
        ArgumentNullException.ThrowIfNull(model);
        var lora = model.Options.Lora ?? throw new ArgumentException("the model has no adapters", nameof(model));
        bool reward = model.Options.Head == ModelHead.Reward;
        SafetensorsWriter.Write(
            Path.Combine(folder, TensorFile),
            model.Trained.Names.Select(n => new DeviceTensorSource(model.Backend, Prefix + n, model.Trained.ShapeOf(n), model.Trained.ValueOf(n), DType.F32)));
        AtomicFile.Write(Path.Combine(folder, ConfigFile), 0, stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            json.WriteStartObject();
            json.WriteString("peft_type", "LORA");
            json.WriteString("task_type", reward ? "SEQ_CLS" : "CAUSAL_LM");
            json.WriteString("base_model_name_or_path", baseModel);
            json.WriteNumber("r", lora.Rank);
            json.WriteNumber("lora_alpha", lora.Alpha);
            json.WriteNumber("lora_dropout", lora.Dropout);
            if (lora.TargetModules is [LoraOptions.AllLinear])
            {
                json.WriteString("target_modules", LoraOptions.AllLinear);
            }
            else
            {
                WriteList(json, "target_modules", lora.TargetModules);
            }

            if (reward)
            {
                WriteList(json, "modules_to_save", ["reward_head"]);
            }

            json.WriteString("bias", "none");
            json.WriteBoolean("fan_in_fan_out", false);
            json.WriteBoolean("inference_mode", true);
            json.WriteEndObject();
        });
    }

    /// <summary>What adapter_config.json says.</summary>
    /// <exception cref="BadInputException">It is missing, or not of LoRA adapters that Farm has.</exception>
    public static LoraOptions ReadOptions(string folder)
    {
        string path = Path.Combine(folder, ConfigFile);
        using var document = JsonFile.ReadObject(path);
        try
        {
            var root = document.RootElement;
            if (root.GetProperty("peft_type").GetString() != "LORA" || (root.TryGetProperty("bias", out var bias) && bias.GetString() != "none"))
            {
                throw new BadInputException($"{path}: only LoRA adapters without biases are supported.");
            }

            if (Unsupported.FirstOrDefault(f => root.TryGetProperty(f, out var on) && on.ValueKind == JsonValueKind.True) is { } unsupported)
            {
                throw new BadInputException($"{path}: field '{unsupported}' is true, which is not supported.");
            }

            var targets = root.GetProperty("target_modules");
            var options = new LoraOptions
            {
                Rank = root.GetProperty("r").GetInt32(),
                Alpha = root.GetProperty("lora_alpha").GetDouble(),
                Dropout = root.TryGetProperty("lora_dropout", out var dropout) ? dropout.GetDouble() : 0,
                TargetModules = targets.ValueKind == JsonValueKind.String ? [targets.GetString()!] : [.. targets.EnumerateArray().Select(t => t.GetString()!)],
            };
            options.Validate();
            return options;
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadInputException($"{path} is not the configuration of LoRA adapters.", e);
        }
    }

    /// <summary>Fills the adapters of a model that was loaded with <see cref="ReadOptions"/>.</summary>
    /// <exception cref="BadInputException">A tensor is missing, left over or of another shape.</exception>
    /// <param name="model">The model.</param>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="modulePrefix">What stands before the module names in the file beyond the model's own, e.g. a reward model's <c>backbone_model.</c> on a shared base.</param>
    public static void Load(TrainableLlama model, string folder, string modulePrefix = "")
    {
        ArgumentNullException.ThrowIfNull(model);
        string path = Path.Combine(folder, TensorFile);
        if (!File.Exists(path))
        {
            throw new BadInputException($"{path} does not exist.");
        }

        using var file = CheckpointFile.Open(path);
        var tensors = SafetensorsFile.Read(file).ToDictionary(t => t.Name);
        foreach (string name in model.Trained.Names)
        {
            string stored = Prefix + (name.Contains(".lora_", StringComparison.Ordinal) ? modulePrefix : string.Empty) + name;
            if (!tensors.Remove(stored, out var tensor) || !tensor.Shape.SequenceEqual(model.Trained.ShapeOf(name)))
            {
                throw new BadInputException($"{path}: tensor '{stored}' of shape [{string.Join(", ", model.Trained.ShapeOf(name))}] is not there.");
            }

            model.Backend.Upload<float>(tensor.ReadFloats(), model.Trained.ValueOf(name));
        }

        if (tensors.Keys.FirstOrDefault() is { } extra)
        {
            throw new BadInputException($"{path}: tensor '{extra}' has no place in the model.");
        }
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
