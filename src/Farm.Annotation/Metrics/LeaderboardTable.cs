using System.Globalization;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>
/// A leaderboard: a CSV file whose first column, without a name, holds the models' names. Columns are found by name and keep the file's order,
/// since published files do not agree on one.
/// </summary>
public sealed class LeaderboardTable
{
    /// <summary>Columns of a new leaderboard, in AlpacaEval's order.</summary>
    public static readonly IReadOnlyList<string> StandardColumns =
    [
        "win_rate", "standard_error", "mode", "avg_length", "n_wins", "n_wins_base", "n_draws", "n_total", "discrete_win_rate", "length_controlled_winrate", "lc_standard_error",
    ];

    private readonly List<string> _columns = [];
    private readonly List<LeaderboardRow> _rows = [];

    /// <summary>The columns, the name's left out.</summary>
    public IReadOnlyList<string> Columns => _columns;

    /// <summary>The rows, in order.</summary>
    public IReadOnlyList<LeaderboardRow> Rows => _rows;

    /// <summary>The row of a model, null where there is none.</summary>
    public LeaderboardRow? this[string name] => _rows.Find(r => r.Name == name);

    /// <summary>Reads a leaderboard.</summary>
    /// <exception cref="BadInputException">It cannot be read or is no leaderboard; the message names file and row.</exception>
    public static LeaderboardTable Read(string path)
    {
        var records = Csv.Read(path);
        if (records.Count == 0)
        {
            throw new BadInputException($"{path} is empty; a leaderboard begins with a header.");
        }

        string[] header = records[0].Fields;
        if (header.Length < 2 || header.Skip(1).Any(c => c.Length == 0 || double.TryParse(c, NumberStyles.Float, CultureInfo.InvariantCulture, out _)))
        {
            throw new BadInputException($"{path} has no header: its first row must name the columns, the first of them without a name.");
        }

        var table = new LeaderboardTable();
        table._columns.AddRange(header.Skip(1));
        if (table._columns.Distinct(StringComparer.Ordinal).Count() != table._columns.Count)
        {
            throw new BadInputException($"{path}, row 1: the column '{table._columns.GroupBy(c => c).First(g => g.Count() > 1).Key}' is there twice.");
        }

        foreach (var record in records.Skip(1))
        {
            if (record.Fields.Length != header.Length)
            {
                throw new BadInputException($"{path}, row {record.Row}: has {record.Fields.Length} fields where the header has {header.Length}.");
            }

            if (table[record.Fields[0]] is not null)
            {
                throw new BadInputException($"{path}, row {record.Row}: the model '{record.Fields[0]}' is there twice.");
            }

            var row = new LeaderboardRow(record.Fields[0]);
            for (int i = 1; i < header.Length; i++)
            {
                row.Set(header[i], record.Fields[i]);
            }

            table._rows.Add(row);
        }

        return table;
    }

    /// <summary>Adds a row, or replaces the cells of the model's row; columns not there yet come last, or in the standard order in a new table.</summary>
    public void Merge(LeaderboardRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        if (_columns.Count == 0)
        {
            _columns.AddRange(StandardColumns.Where(row.Cells.ContainsKey));
        }

        _columns.AddRange(row.Cells.Keys.Where(c => !_columns.Contains(c)).ToList());
        var target = this[row.Name];
        if (target is null)
        {
            target = new LeaderboardRow(row.Name);
            _rows.Add(target);
        }

        foreach (var (column, text) in row.Cells)
        {
            target.Set(column, text);
        }
    }

    /// <summary>Merges all rows of another table.</summary>
    public void Merge(LeaderboardTable other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (_columns.Count == 0)
        {
            _columns.AddRange(other._columns);
        }

        foreach (var row in other._rows)
        {
            Merge(row);
        }
    }

    /// <summary>Sorts by a column, greatest first, rows without a number last; equal ones keep their order.</summary>
    /// <exception cref="BadInputException">There is no such column.</exception>
    public void Sort(string column)
    {
        if (!_columns.Contains(column))
        {
            throw new BadInputException($"The leaderboard has no column '{column}' to sort by; it has {string.Join(", ", _columns)}.");
        }

        var sorted = _rows.OrderByDescending(r => r.Number(column) ?? double.NegativeInfinity).ToList();
        _rows.Clear();
        _rows.AddRange(sorted);
    }

    /// <summary>The table as CSV.</summary>
    public string ToCsv()
    {
        var floats = _columns.Where(IsFloatColumn).ToHashSet();
        return Csv.Write([["", .. _columns], .. _rows.Select(r => (IEnumerable<string>)[r.Name, .. _columns.Select(c => Cell(r, c, floats.Contains(c)))])]);
    }

    /// <summary>Writes the table as CSV, whole or not at all.</summary>
    public void Write(string path) => TextFile.Write(path, ToCsv());

    // A column of whole numbers with a gap or a float is a column of floats to pandas: 805.0. The name of the mode and other texts stay.
    private bool IsFloatColumn(string column) => _rows.Any(r => r.Cells.GetValueOrDefault(column) is { Length: > 0 } text && text.AsSpan().IndexOfAny('.', 'e') >= 0 && r.Number(column) is not null);

    private static string Cell(LeaderboardRow row, string column, bool floats)
    {
        string text = row.Cells.GetValueOrDefault(column, "");
        return floats && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) ? PythonFloat.Format(whole) : text;
    }
}
