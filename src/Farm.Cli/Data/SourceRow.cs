using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;

namespace Farm.Cli.Data;

/// <summary>An instruction of a file or a row scheme.</summary>
/// <param name="Number">Its place, counted from 1.</param>
/// <param name="Instruction">The instruction.</param>
/// <param name="Input">Its input, null for none.</param>
/// <param name="Fields">The whole row.</param>
internal sealed record SourceRow(int Number, string Instruction, string? Input, JsonObject Fields)
{
    /// <summary>Reads rows.</summary>
    /// <exception cref="BadInputException">There are none, or one lacks an instruction; the message names file, row and field.</exception>
    public static IReadOnlyList<SourceRow> Read(string source, int? most)
    {
        if (RowSchemes.TryRows(source) is not { } elements)
        {
            SourceRow[] rows = [.. InstructionFile.Read(source, most).Select(r => new SourceRow(r.Number, r.Instruction, r.Input, JsonObject.Create(r.Fields)!))];
            return rows.Length > 0 ? rows : throw new BadInputException($"{source} has no rows.");
        }

        SourceRow[] found = [.. elements.Take(most ?? int.MaxValue).Select((e, i) => new SourceRow(i + 1, Text(e, "instruction") ?? string.Empty, Text(e, "input"), JsonObject.Create(e)!))];
        return found.Length > 0 ? found : throw new BadInputException($"{source} has no rows.");
    }

    private static string? Text(JsonElement row, string field) => row.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
