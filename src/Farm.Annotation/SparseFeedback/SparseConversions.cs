using System.Globalization;
using System.Text;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.SparseFeedback;

/// <summary>The ways between Sparse Feedback's files.</summary>
public static class SparseConversions
{
    private const string LeftOut = "selfinstruct";

    /// <summary>Every response of a generation file (instruction, input, responses), in order, to be rated.</summary>
    /// <exception cref="BadInputException">A row is not what it should be.</exception>
    public static IReadOnlyList<SparseResponse> Responses(string generationPath) =>
        [.. Generations(generationPath).SelectMany(g => g.Responses.Select(r => new SparseResponse(g.Place, g.Instruction, g.Input, r)))];

    /// <summary>Every two responses of each row of a generation file, the earlier one first, to be compared.</summary>
    /// <exception cref="BadInputException">A row is not what it should be.</exception>
    public static IReadOnlyList<SparsePair> Pairs(string generationPath) => [.. Generations(generationPath).SelectMany(g => g.Responses.SelectMany((a, i) =>
        g.Responses.Skip(i + 1).Select(b => new SparsePair(g.Place, g.Instruction, g.Input, a, b))))];

    /// <summary>A model's outputs (AlpacaEval's form) to be rated, those of the set <c>selfinstruct</c> left out.</summary>
    /// <exception cref="BadInputException">A row is not what it should be.</exception>
    public static IReadOnlyList<SparseResponse> EvaluationResponses(string outputsPath) =>
        [.. Outputs(outputsPath).Where(o => o.Dataset != LeftOut).Select(o => new SparseResponse(o.Place, o.Instruction, "", o.Output))];

    /// <summary>A model's outputs beside the reference's to the same instructions; of several of the reference's the last counts.</summary>
    /// <exception cref="BadInputException">A row is not what it should be, or the reference lacks an instruction.</exception>
    public static IReadOnlyList<SparsePair> EvaluationPairs(string referencePath, string outputsPath)
    {
        var reference = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var row in Outputs(referencePath))
        {
            reference[row.Instruction] = row.Output;
        }

        return [.. Outputs(outputsPath).Select(o => reference.TryGetValue(o.Instruction, out string? text)
            ? new SparsePair(o.Place, o.Instruction, "", text, o.Output)
            : throw new BadInputException($"{o.Place}: {referencePath} has no output for this instruction."))];
    }

    /// <summary>
    /// Reward model data from rankings, as Python's json.dump writes it: an object of prompts to <c>{"sentences": [[preferred, other], ...]}</c>. Rows that
    /// are the same in every field count once, and equal ones not at all.
    /// </summary>
    public static string RewardData(IEnumerable<SparseRanking> rankings)
    {
        var prompts = new OrderedDictionary<string, List<SparseRanking>>(StringComparer.Ordinal);
        foreach (var row in rankings.DistinctBy(r => (r.Instruction, SparseInput.Of(r.Input), r.Output1, r.Output2, r.Verdict)).Where(r => r.Verdict != SparseVerdict.Equal))
        {
            string prompt = Prompt(row.Instruction, row.Input);
            if (!prompts.TryGetValue(prompt, out var rows))
            {
                prompts[prompt] = rows = [];
            }

            rows.Add(row);
        }

        var json = new StringBuilder("{");
        foreach (var (prompt, rows) in prompts)
        {
            String(json.Append(json.Length > 1 ? ", " : ""), prompt).Append(": {\"sentences\": [");
            for (int i = 0; i < rows.Count; i++)
            {
                bool first = rows[i].Verdict == SparseVerdict.First;
                String(json.Append(i > 0 ? ", [" : "["), first ? rows[i].Output1 : rows[i].Output2).Append(", ");
                String(json, first ? rows[i].Output2 : rows[i].Output1).Append(']');
            }

            json.Append("]}");
        }

        return json.Append('}').ToString();
    }

    /// <summary>
    /// Reward model data from ratings: rows with instruction, input, output and score. Of rows about the same texts the first counts; an input of
    /// <c>nan</c> becomes none, so that no reader takes it for one.
    /// </summary>
    public static string RewardData(IEnumerable<SparseRating> ratings)
    {
        var json = new StringBuilder("[");
        foreach (var row in ratings.DistinctBy(r => (r.Instruction, SparseInput.Of(r.Input), r.Output)))
        {
            String(json.Append(json.Length > 1 ? ",\n " : "\n ").Append("{\"instruction\": "), row.Instruction).Append(", \"input\": ");
            String(json, SparseInput.Of(row.Input) ?? "").Append(", \"output\": ");
            String(json, row.Output).Append(", \"score\": ").Append(row.Score.ToString("R", CultureInfo.InvariantCulture)).Append('}');
        }

        return json.Append("\n]\n").ToString();
    }

    /// <summary>The Alpaca prompt as Sparse Feedback's reward models see it: with one space at the end.</summary>
    public static string Prompt(string instruction, string input) => SparseInput.Of(input) is { } some
        ? $"Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{some}\n\n### Response: "
        : $"Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response: ";

    private static List<(string Place, string Instruction, string Input, IReadOnlyList<string> Responses)> Generations(string path)
    {
        var rows = RowFile.ReadSome(path, bareWords: true);
        return [.. rows.Select((row, i) =>
        {
            string place = $"{path}, row {i + 1}";
            return (place, RowFields.Required(place, row, "instruction"), RowFields.Text(place, row, "input") ?? "", List(place, row, "responses"));
        })];
    }

    private static List<(string Place, string Instruction, string Output, string? Dataset)> Outputs(string path)
    {
        var rows = RowFile.ReadSome(path, bareWords: true);
        return [.. rows.Select((row, i) =>
        {
            string place = $"{path}, row {i + 1}";
            return (place, RowFields.Required(place, row, "instruction"), RowFields.Required(place, row, "output"), RowFields.Text(place, row, "dataset"));
        })];
    }

    private static IReadOnlyList<string> List(string place, JsonRow row, string field) =>
        row.TryGet(field, out var value) && value.ValueKind == System.Text.Json.JsonValueKind.Array
            ? [.. value.EnumerateArray().Select((v, i) => InputJson.Text(place, $"{field}[{i}]", v))]
            : throw new BadInputException($"{place}, field '{field}': must be a list of strings.");

    /// <summary>A string as Python's json module writes it: ASCII, everything else as lower-case \u escapes.</summary>
    private static StringBuilder String(StringBuilder json, string text)
    {
        json.Append('"');
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' => json.Append("\\\""),
                '\\' => json.Append("\\\\"),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                < ' ' or > '\x7f' => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        }

        return json.Append('"');
    }
}
