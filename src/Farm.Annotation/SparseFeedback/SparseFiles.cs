using System.Globalization;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.SparseFeedback;

/// <summary>Sparse Feedback's CSV files: inputs have a header and end lines as pandas does, feedback has no header and ends them as the csv module does.</summary>
public static class SparseFiles
{
    private const string WindowsLine = "\r\n";
    private static readonly string[] ResponseHeader = ["instruction", "input", "response"], PairHeader = ["instruction", "input", "response1", "response2"];
    private static readonly string[] RatingColumns = ["instruction", "input", "output", "score"], RankingColumns = ["instruction", "input", "output1", "output2", "feedback"];

    /// <summary>Reads responses to be rated; the file has a header.</summary>
    /// <exception cref="BadInputException">It has none, or a row has other fields.</exception>
    public static IReadOnlyList<SparseResponse> ReadResponses(string path) =>
        [.. WithHeader(path, ResponseHeader).Select(r => new SparseResponse(Place(path, r), r.Fields[0], r.Fields[1], r.Fields[2]))];

    /// <summary>Reads pairs to be compared; the file has a header.</summary>
    /// <exception cref="BadInputException">It has none, or a row has other fields.</exception>
    public static IReadOnlyList<SparsePair> ReadPairs(string path) =>
        [.. WithHeader(path, PairHeader).Select(r => new SparsePair(Place(path, r), r.Fields[0], r.Fields[1], r.Fields[2], r.Fields[3]))];

    /// <summary>Reads ratings; the file has no header, and one that is there is passed over.</summary>
    /// <exception cref="BadInputException">A row has other fields, or a score that is no number.</exception>
    public static IReadOnlyList<SparseRating> ReadRatings(string path) => [.. WithoutHeader(path, RatingColumns).Select(r =>
        new SparseRating(Place(path, r), r.Fields[0], r.Fields[1], r.Fields[2], CsvFields.Number(path, r, RatingColumns, 3), r.Fields[3]))];

    /// <summary>Reads rankings; the file has no header, and one that is there is passed over.</summary>
    /// <exception cref="BadInputException">A row has other fields, or a feedback that is none.</exception>
    public static IReadOnlyList<SparseRanking> ReadRankings(string path) => [.. WithoutHeader(path, RankingColumns).Select(r =>
        new SparseRanking(Place(path, r), r.Fields[0], r.Fields[1], r.Fields[2], r.Fields[3], Verdict(r.Fields[4])
            ?? throw new BadInputException($"{Place(path, r)}, field 'feedback': must be (a), (b) or equal, not '{r.Fields[4]}'.")))];

    /// <summary>Responses as CSV with a header.</summary>
    public static string WriteResponses(IEnumerable<SparseResponse> rows) =>
        Csv.Write([ResponseHeader, .. rows.Select(r => (IEnumerable<string>)[r.Instruction, r.Input, r.Response])]);

    /// <summary>Pairs as CSV with a header.</summary>
    public static string WritePairs(IEnumerable<SparsePair> rows) =>
        Csv.Write([PairHeader, .. rows.Select(r => (IEnumerable<string>)[r.Instruction, r.Input, r.Response1, r.Response2])]);

    /// <summary>Ratings as CSV without a header.</summary>
    public static string WriteRatings(IEnumerable<SparseRating> rows) =>
        Csv.Write(rows.Select(r => (IEnumerable<string>)[r.Instruction, r.Input, r.Output, r.ScoreText]), WindowsLine);

    /// <summary>Rankings as CSV without a header.</summary>
    public static string WriteRankings(IEnumerable<SparseRanking> rows) =>
        Csv.Write(rows.Select(r => (IEnumerable<string>)[r.Instruction, r.Input, r.Output1, r.Output2, Text(r.Verdict)]), WindowsLine);

    /// <summary>A verdict as files spell it.</summary>
    public static string Text(SparseVerdict verdict) => verdict switch
    {
        SparseVerdict.First => "(a)",
        SparseVerdict.Second => "(b)",
        _ => "equal",
    };

    /// <summary>A verdict that a file spells, null where it is none.</summary>
    public static SparseVerdict? Verdict(string text) => text switch
    {
        "(a)" => SparseVerdict.First,
        "(b)" => SparseVerdict.Second,
        "equal" => SparseVerdict.Equal,
        _ => null,
    };

    private static string Place(string path, CsvRecord record) => string.Create(CultureInfo.InvariantCulture, $"{path}, row {record.Row}");

    private static List<CsvRecord> WithHeader(string path, string[] header)
    {
        var records = Csv.Read(path);
        string names = string.Join(",", header);
        return records.Count > 0 && records[0].Fields.SequenceEqual(header)
            ? Checked(path, records.Skip(1), header)
            : throw new BadInputException($"{path} has no header: its first row must be {names}.");
    }

    private static List<CsvRecord> WithoutHeader(string path, string[] columns)
    {
        var records = Csv.Read(path);
        return Checked(path, records.Count > 0 && records[0].Fields.SequenceEqual(columns) ? records.Skip(1) : records, columns);
    }

    private static List<CsvRecord> Checked(string path, IEnumerable<CsvRecord> records, string[] columns)
    {
        var rows = records.ToList();
        foreach (var row in rows)
        {
            if (row.Fields.Length != columns.Length)
            {
                throw new BadInputException($"{Place(path, row)}: must have {columns.Length} fields ({string.Join(", ", columns)}), not {row.Fields.Length}.");
            }
        }

        return rows.Count > 0 ? rows : throw new BadInputException($"{path} has no rows.");
    }
}
