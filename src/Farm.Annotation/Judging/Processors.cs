using System.Text.Json;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Python;

namespace Farm.Annotation.Judging;

/// <summary>The columns that alpaca_eval's processors take from a reply.</summary>
internal static class Processors
{
    /// <summary>The columns of a reply. A reply that is no JSON object has them as null.</summary>
    public static IReadOnlyList<KeyValuePair<string, JsonElement>> Columns(JudgeConfig config, JsonElement raw, double? preference)
    {
        if (config.ProcessorsToKwargs.Count == 0)
        {
            return [];
        }

        var reply = Object(raw);
        var columns = new List<KeyValuePair<string, JsonElement>>();
        foreach (var (name, settings) in config.ProcessorsToKwargs)
        {
            switch (JudgeConfigReader.Text(name))
            {
                case "ChainOfThoughtProcessor":
                    columns.Add(new("concise_explanation", Field(reply, "concise_explanation")));
                    columns.Add(new("referenced_models", ReferencedModels(reply, preference)));
                    break;
                case "JsonKeysToColumnProcessor":
                    var keys = new KeyReader("processors_to_kwargs, JsonKeysToColumnProcessor", settings as OrderedDictionary<object, object?> ?? []).Texts("json_keys_to_keep", []);
                    columns.AddRange(keys.Select(k => KeyValuePair.Create(k, Field(reply, k))));
                    break;
            }
        }

        return columns;
    }

    private static JsonElement? Object(JsonElement raw)
    {
        if (raw.ValueKind != JsonValueKind.String)
        {
            return raw.ValueKind == JsonValueKind.Object ? raw : null;
        }

        try
        {
            using var document = JsonDocument.Parse(raw.GetString()!);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static JsonElement Field(JsonElement? reply, string name) => reply is { } r && r.TryGetProperty(name, out var value) ? value : JsonRow.Value<object?>(null);

    /// <summary>Which output each model's name stood for.</summary>
    private static JsonElement ReferencedModels(JsonElement? reply, double? preference)
    {
        if (reply is not { } object_ || preference is null || !object_.TryGetProperty("concise_explanation", out _) || !object_.TryGetProperty("ordered_models", out var models)
            || PythonValue.From(models) is not List<object?> ranked)
        {
            return JsonRow.Value<object?>(null);
        }

        int preferred = (int)preference;
        var names = new JsonRow();
        foreach (var model in ranked.OfType<OrderedDictionary<object, object?>>().OrderBy(m => PythonValue.Number(m.GetValueOrDefault("rank"))))
        {
            if (model.GetValueOrDefault("model") is string name && PythonValue.Number(model.GetValueOrDefault("rank")) is { } rank && rank is 1 or 2)
            {
                names.Set(name, $"output_{(rank == 1 ? preferred : 3 - preferred)}");
            }
        }

        return JsonSerializer.SerializeToElement(names.ToDictionary(f => f.Key, f => f.Value));
    }
}
