using System.Text.Json;
using Farm.Cli.Data;

namespace Farm.Cli.Output;

/// <summary>The fields that all of AlpacaFarm's result rows begin with, and those of the input row that are carried along.</summary>
internal static class RowWriter
{
    /// <summary>
    /// Fields of an input row that describe the text that <c>output</c> held before; beside a new output they would be wrong.
    /// </summary>
    private static readonly string[] AboutTheOldOutput = ["output", "generator"];

    /// <summary>Writes <c>instruction</c> and <c>input</c>; a prompt given as a flag is its own instruction.</summary>
    public static void WriteHead(Utf8JsonWriter writer, PromptItem prompt)
    {
        writer.WriteString("instruction", prompt.Row?.Instruction ?? prompt.Text);
        writer.WriteString("input", prompt.Row is { } row ? row.Input : string.Empty);
    }

    /// <summary>Writes the fields of the input row whose names are not among those already written.</summary>
    public static void WriteCarried(Utf8JsonWriter writer, InstructionRow? row, params ReadOnlySpan<string> written)
    {
        if (row is null)
        {
            return;
        }

        foreach (var field in row.Fields.EnumerateObject())
        {
            if (field.Name is "instruction" or "input" || written.Contains(field.Name) || AboutTheOldOutput.Contains(field.Name))
            {
                continue;
            }

            field.WriteTo(writer);
        }
    }
}
