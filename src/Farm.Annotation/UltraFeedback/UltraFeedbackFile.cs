using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Annotation.Data;
using Farm.Annotation.Metrics;
using Farm.Core;

namespace Farm.Annotation.UltraFeedback;

/// <summary>UltraFeedback's files: a JSON array of records, or one record per line.</summary>
public static class UltraFeedbackFile
{
    private static readonly JsonSerializerOptions Layout = new() { WriteIndented = true, IndentSize = 4, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads the records.</summary>
    /// <exception cref="BadInputException">The file cannot be read or a record has no instruction.</exception>
    public static IReadOnlyList<UltraFeedbackRecord> Read(string path)
    {
        var rows = RowFile.ReadSome(path);
        var records = new List<UltraFeedbackRecord>(rows.Count);
        foreach (var row in rows)
        {
            var node = new JsonObject();
            foreach (var (name, value) in row)
            {
                node[name] = Node(value);
            }

            var record = new UltraFeedbackRecord($"{path}, row {records.Count + 1}", node);
            _ = record.Instruction;
            records.Add(record);
        }

        return records;
    }

    /// <summary>Writes the records as a JSON array, whole or not at all.</summary>
    public static void Write(string path, IEnumerable<UltraFeedbackRecord> records) =>
        TextFile.Write(path, Encoding.UTF8.GetBytes(new JsonArray([.. records.Select(r => (JsonNode)r.Node.DeepClone())]).ToJsonString(Layout) + "\n"));

    private static JsonNode? Node(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => JsonObject.Create(value),
        JsonValueKind.Array => JsonArray.Create(value),
        JsonValueKind.Null => null,
        _ => JsonValue.Create(value),
    };
}
