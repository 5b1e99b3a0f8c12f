using System.Globalization;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>Fields of CSV records by the header's names, with messages that name file, row and column.</summary>
public static class CsvFields
{
    /// <summary>Where a column is.</summary>
    /// <exception cref="BadInputException">It is not there.</exception>
    public static int Column(string path, string[] header, string name)
    {
        int column = Array.IndexOf(header, name);
        return column >= 0 ? column : throw new BadInputException($"{path} has no column '{name}'; its header has {string.Join(", ", header)}.");
    }

    /// <summary>A field.</summary>
    /// <exception cref="BadInputException">The record is too short.</exception>
    public static string Text(string path, CsvRecord record, string[] header, int column)
    {
        ArgumentNullException.ThrowIfNull(record);
        ArgumentNullException.ThrowIfNull(header);
        return column < record.Fields.Length
            ? record.Fields[column]
            : throw new BadInputException($"{path}, row {record.Row}: has {record.Fields.Length} fields where the header has {header.Length}.");
    }

    /// <summary>A field that is a finite number.</summary>
    /// <exception cref="BadInputException">It is something else.</exception>
    public static double Number(string path, CsvRecord record, string[] header, int column)
    {
        string text = Text(path, record, header, column);
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
            ? value
            : throw new BadInputException($"{path}, row {record.Row}, field '{header[column]}': must be a number, not '{text}'.");
    }
}
