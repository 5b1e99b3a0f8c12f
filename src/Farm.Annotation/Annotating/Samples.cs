using System.Text;
using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Annotation.Python;
using Farm.Core;

namespace Farm.Annotation.Annotating;

/// <summary>Pairs the samples of one prompt with one another.</summary>
public static class Samples
{
    /// <summary>
    /// Every output becomes <c>output_1</c>, with another of its prompt, by a derangement that the seed draws, as <c>output_2</c>. Prompts come out
    /// sorted, equal outputs of a prompt count once, and one alone is paired with itself.
    /// </summary>
    /// <param name="rows">Rows whose <c>output</c> is a text or a list of texts.</param>
    /// <param name="name">Their file, for messages.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="isUniqueInstructions">Only the first pair of each prompt.</param>
    /// <exception cref="BadInputException">A row lacks a field or has one that cannot be.</exception>
    public static List<JsonRow> Pair(IReadOnlyList<JsonRow> rows, string name, int? seed = 0, bool isUniqueInstructions = true)
    {
        ArgumentNullException.ThrowIfNull(rows);
        RowChecks.UniqueIds(name, rows);
        bool withInput = rows.All(r => r.Contains("input"));
        var samples = rows.SelectMany((row, i) => Explode(row, name, i + 1, withInput));
        var result = new List<JsonRow>();
        foreach (var group in samples.GroupBy(s => s.Key).OrderBy(g => g.Key, PythonOrder.Instance))
        {
            Sample[] outputs = [.. group.DistinctBy(s => s.Output, StringComparer.Ordinal)];
            int[] partner = Derangement.Of(outputs.Length, seed ?? 0);
            for (int i = 0; i < (isUniqueInstructions ? 1 : outputs.Length); i++)
            {
                result.Add(Row(outputs[i], outputs[partner[i]].Output));
            }
        }

        return result;
    }

    private static IEnumerable<Sample> Explode(JsonRow row, string name, int number, bool withInput)
    {
        string instruction = RowChecks.Text(row, "instruction", name, number);
        var key = (withInput ? RowChecks.OptionalText(row, "input", name, number) ?? string.Empty : string.Empty, instruction);
        if (!row.TryGet("output", out var output) || output.ValueKind != JsonValueKind.Array)
        {
            return [new Sample(key, row, RowChecks.Text(row, "output", name, number), null)];
        }

        if (output.GetArrayLength() == 0)
        {
            throw new BadInputException($"{name}, row {number}, field 'output': is an empty list.");
        }

        return output.EnumerateArray().Select((o, i) => o.ValueKind == JsonValueKind.String
            ? new Sample(key, row, o.GetString()!, i)
            : throw new BadInputException($"{name}, row {number}, field 'output[{i}]': must be a text."));
    }

    private static JsonRow Row(Sample sample, string other)
    {
        var row = new JsonRow();
        foreach (var (field, value) in sample.Row)
        {
            row[field == "output" ? "output_1" : field] = field == "output" ? JsonRow.Value(sample.Output) : value;
        }

        if (sample.Index is { } index)
        {
            row.Set("sample_id", index);
        }

        row.Set("output_2", other);
        return row;
    }

    private sealed record Sample((string Input, string Instruction) Key, JsonRow Row, string Output, int? Index);

    /// <summary>Python's order of texts, by code points, which is the order of their UTF-8 bytes.</summary>
    private sealed class PythonOrder : IComparer<(string Input, string Instruction)>
    {
        public static readonly PythonOrder Instance = new();

        public int Compare((string Input, string Instruction) x, (string Input, string Instruction) y)
        {
            int first = Bytes(x.Input).SequenceCompareTo(Bytes(y.Input));
            return first != 0 ? first : Bytes(x.Instruction).SequenceCompareTo(Bytes(y.Instruction));
        }

        private static ReadOnlySpan<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);
    }
}
