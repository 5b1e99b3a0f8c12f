using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;

namespace Farm.Annotation.Annotating;

/// <summary>A pair with its preference, or with the reason why it has none.</summary>
/// <param name="Index">The row's place in the input, from 0.</param>
/// <param name="Row">The row.</param>
/// <param name="Annotator">Who judged; null where nobody had to.</param>
/// <param name="Preference">1 for the first output, 2 for the second, 1.5 for a draw; null where there is none.</param>
/// <param name="Origin">Where the preference comes from.</param>
public sealed record AnnotatedPair(int Index, PairRow Row, string? Annotator, double? Preference, PreferenceOrigin Origin)
{
    private static readonly string[] s_prefixed = ["price_per_example", "time_per_example", "version", "date", "raw_completion"];

    /// <summary>Why there is no preference.</summary>
    public JudgeFailure? Failure { get; init; }

    /// <summary>Was the second output shown first?</summary>
    public bool? IsSwitched { get; init; }

    /// <summary>The reply, in the order that was shown.</summary>
    public JsonElement? Raw { get; init; }

    /// <summary>US dollars for this row.</summary>
    public double? Price { get; init; }

    /// <summary>Seconds for this row.</summary>
    public double? Seconds { get; init; }

    /// <summary>When the reply came, in ISO 8601.</summary>
    public string? Date { get; init; }

    /// <summary>True where an earlier run had asked.</summary>
    public bool FromJournal { get; init; }

    /// <summary>Further columns that the reply decides.</summary>
    public IReadOnlyList<KeyValuePair<string, JsonElement>> Columns { get; init; } = [];

    /// <summary>What the names of the columns begin with.</summary>
    internal string ColumnPrefix { get; init; } = "preference_";

    /// <summary>The column <c>version</c>.</summary>
    internal string? Version { get; init; }

    /// <summary>The row for an annotation file: the fields that it had, then alpaca_eval's columns.</summary>
    public JsonRow ToRow()
    {
        var row = Row.Fields.Copy();
        if (row.Count == 0)
        {
            row.Set("instruction", Row.Instruction);
            if (Row.Input is { } input)
            {
                row.Set("input", input);
            }

            row.Set("output_1", Row.Output1);
            row.Set("output_2", Row.Output2);
        }

        if (Origin == PreferenceOrigin.Imported)
        {
            return row;
        }

        // What an earlier judge said of the row is no longer true of it.
        foreach (string name in s_prefixed.SelectMany(n => new[] { n, $"preference_{n}" }).Concat(["annotator", "preference", "preference_failure", "preference_failure_detail", "referenced_models", "concise_explanation"]))
        {
            if (name is not "date" and not "version")
            {
                row.Remove(name);
            }
        }

        row.Set("annotator", Annotator);
        row["preference"] = AnnotationRows.PreferenceValue(Preference);
        row[ColumnPrefix + "price_per_example"] = AnnotationRows.PreferenceValue(Price);
        row[ColumnPrefix + "time_per_example"] = AnnotationRows.PreferenceValue(Seconds);
        if (Version is not null)
        {
            row.Set(ColumnPrefix + "version", Version);
        }

        if (Date is not null)
        {
            row.Set(ColumnPrefix + "date", Date);
        }

        row[ColumnPrefix + "raw_completion"] = Raw ?? JsonRow.Value<object?>(null);
        foreach (var (name, value) in Columns)
        {
            row[name] = value;
        }

        if (Failure is { } failure)
        {
            row.Set("preference_failure", failure.Code);
            row.Set("preference_failure_detail", failure.Detail);
        }

        return row;
    }

    /// <summary>A preference of the file's order for one of the shown order, and the other way round.</summary>
    internal static double? Unswitch(double? preference, bool isSwitched) => isSwitched ? 3 - preference : preference;

    /// <summary>Fills in what the judge decides of all its rows alike.</summary>
    internal AnnotatedPair By(IPairwiseJudge judge) => this with { ColumnPrefix = judge.ColumnPrefix, Version = judge.Version };
}
