using System.Text.Encodings.Web;
using System.Text.Json;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Pocket.Data;

/// <summary>Writes rows as AlpacaFarm's JSON: an array of objects, indented by four spaces. A file appears whole or not at all.</summary>
public static class AlpacaFiles
{
    private static readonly JsonWriterOptions s_json = new() { Indented = true, IndentSize = 4, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes instruction rows: instruction, input, output.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<PocketRow> rows) => Write(path, rows, (json, row) =>
    {
        json.WriteString("instruction", row.Instruction);
        json.WriteString("input", row.Input);
        json.WriteString("output", row.Output);
    });

    /// <summary>Writes evaluation rows, which also say where they are from: generator, dataset, datasplit.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public static void WriteEvaluation(string path, IEnumerable<PocketRow> rows) => Write(path, rows, (json, row) =>
    {
        json.WriteString("instruction", row.Instruction);
        json.WriteString("input", row.Input);
        json.WriteString("output", row.Output);
        json.WriteString("generator", "pocket_gold");
        json.WriteString("dataset", "pocket");
        json.WriteString("datasplit", "eval");
    });

    /// <summary>Writes preference rows: instruction, input, output_1, output_2, preference.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public static void Write(string path, IEnumerable<PocketPreference> rows) => Write(path, rows, (json, row) =>
    {
        json.WriteString("instruction", row.Instruction);
        json.WriteString("input", row.Input);
        json.WriteString("output_1", row.Output1);
        json.WriteString("output_2", row.Output2);
        json.WriteNumber("preference", row.Preference);
    });

    private static void Write<T>(string path, IEnumerable<T> rows, Action<Utf8JsonWriter, T> fields)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(rows);
        AtomicFile.Write(path, 0, stream =>
        {
            using (var json = new Utf8JsonWriter(stream, s_json))
            {
                json.WriteStartArray();
                foreach (var row in rows)
                {
                    json.WriteStartObject();
                    fields(json, row);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            stream.Write("\n"u8);
        });
    }
}
