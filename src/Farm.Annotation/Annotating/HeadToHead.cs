using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Annotating;

/// <summary>Joins the outputs of two models into pairs.</summary>
public static class HeadToHead
{
    private static readonly string[] s_neverCollapsed = ["generator", "output"];

    /// <summary>
    /// Joins on instruction and, where both files have it, input. <c>output</c> becomes <c>output_1</c> and <c>output_2</c>; other columns that
    /// both have get the same endings, unless they say the same in every row.
    /// </summary>
    /// <param name="first">Rows of the reference.</param>
    /// <param name="firstName">Its file, for messages.</param>
    /// <param name="second">Rows of the model under test.</param>
    /// <param name="secondName">Its file, for messages.</param>
    /// <param name="isOrdered">Row i belongs to row i; for files in which an instruction comes several times.</param>
    /// <param name="allowUnmatched">Rows of the second file without a partner are left out instead of refused.</param>
    /// <exception cref="BadInputException">A row has no partner, the files are not of the same instructions, or a row lacks a field.</exception>
    public static List<JsonRow> Join(
        IReadOnlyList<JsonRow> first, string firstName, IReadOnlyList<JsonRow> second, string secondName, bool isOrdered = false, bool allowUnmatched = false)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        RowChecks.UniqueIds(firstName, first);
        RowChecks.UniqueIds(secondName, second);
        string[] keys = first.Concat(second).All(r => r.Contains("input")) ? ["input", "instruction"] : ["instruction"];
        string[] firstKeys = Keys(first, firstName, keys), secondKeys = Keys(second, secondName, keys);
        var matches = isOrdered ? Ordered(firstKeys, firstName, secondKeys, secondName) : Matched(firstKeys, firstName, secondKeys, secondName, allowUnmatched);
        SameIds(first, firstName, second, secondName, firstKeys, secondKeys);
        var shared = first.SelectMany(r => r.Select(f => f.Key)).Intersect(second.SelectMany(r => r.Select(f => f.Key)), StringComparer.Ordinal).Except(keys).ToHashSet(StringComparer.Ordinal);
        var collapsed = shared.Where(name => !s_neverCollapsed.Contains(name) && matches.All(m => Same(first[m.First], second[m.Second], name))).ToHashSet(StringComparer.Ordinal);
        var rows = matches.Select(m => Merge(first[m.First], second[m.Second], keys, shared, collapsed));
        return isOrdered ? [.. rows] : [.. rows.DistinctBy(Text, StringComparer.Ordinal)];
    }

    private static string[] Keys(IReadOnlyList<JsonRow> rows, string name, string[] keys)
    {
        string[] texts = new string[rows.Count];
        for (int i = 0; i < rows.Count; i++)
        {
            RowChecks.Text(rows[i], "output", name, i + 1);
            RowChecks.Text(rows[i], "instruction", name, i + 1);
            texts[i] = string.Join('\u001f', keys.Select(k => RowChecks.OptionalText(rows[i], k, name, i + 1)));
        }

        return texts;
    }

    private static List<(int First, int Second)> Ordered(string[] first, string firstName, string[] second, string secondName)
    {
        if (first.Length != second.Length)
        {
            throw new BadInputException($"{firstName} has {first.Length} rows and {secondName} has {second.Length}: they cannot be paired in order.");
        }

        for (int i = 0; i < first.Length; i++)
        {
            if (first[i] != second[i])
            {
                throw new BadInputException($"{secondName}, row {i + 1}, field 'instruction': is not that of row {i + 1} of {firstName}.");
            }
        }

        return [.. Enumerable.Range(0, first.Length).Select(i => (i, i))];
    }

    private static List<(int First, int Second)> Matched(string[] first, string firstName, string[] second, string secondName, bool allowUnmatched)
    {
        var places = second.Select((key, i) => (key, i)).ToLookup(p => p.key, p => p.i, StringComparer.Ordinal);
        var known = first.ToHashSet(StringComparer.Ordinal);
        int lone = Array.FindIndex(second, k => !known.Contains(k));
        if (lone >= 0 && !allowUnmatched)
        {
            throw new BadInputException($"{secondName}, row {lone + 1}, field 'instruction': is not in {firstName}, so its output has no partner.");
        }

        List<(int First, int Second)> matches = [.. first.SelectMany((key, i) => places[key].Select(j => (i, j)))];
        return matches.Count > 0 ? matches : throw new BadInputException($"{firstName} and {secondName} have no instruction in common.");
    }

    /// <summary>Rows that both files give the same id must ask the same.</summary>
    private static void SameIds(IReadOnlyList<JsonRow> first, string firstName, IReadOnlyList<JsonRow> second, string secondName, string[] firstKeys, string[] secondKeys)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < first.Count; i++)
        {
            if (first[i].TryGet("id", out var id))
            {
                ids[id.ToString()] = i;
            }
        }

        for (int j = 0; j < second.Count; j++)
        {
            if (second[j].TryGet("id", out var id) && ids.TryGetValue(id.ToString(), out int i) && firstKeys[i] != secondKeys[j])
            {
                throw new BadInputException($"{secondName}, row {j + 1}, field 'instruction': differs from that of row {i + 1} of {firstName}, which has the same id '{id}'.");
            }
        }
    }

    private static bool Same(JsonRow first, JsonRow second, string name) =>
        first.TryGet(name, out var a) == second.TryGet(name, out var b) && (a.ValueKind == JsonValueKind.Undefined ? b.ValueKind == JsonValueKind.Undefined : JsonElement.DeepEquals(a, b));

    private static JsonRow Merge(JsonRow first, JsonRow second, string[] keys, HashSet<string> shared, HashSet<string> collapsed)
    {
        var row = new JsonRow();
        foreach (var (name, value) in first)
        {
            row[name == "output" || (shared.Contains(name) && !collapsed.Contains(name)) ? name + "_1" : name] = value;
        }

        foreach (var (name, value) in second)
        {
            if (!keys.Contains(name) && !collapsed.Contains(name))
            {
                row[name == "output" || shared.Contains(name) ? name + "_2" : name] = value;
            }
        }

        return row;
    }

    private static string Text(JsonRow row)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            row.WriteTo(writer);
        }

        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
