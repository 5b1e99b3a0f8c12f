using System.Globalization;
using System.Text;
using CsvHelper;
using CsvHelper.Configuration;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>Comma-separated values as Python's csv module and pandas write them.</summary>
public static class Csv
{
    private static readonly char[] Special = [',', '"', '\r', '\n'];

    /// <summary>All records of a file, each with the line that it begins on; empty lines are left out.</summary>
    /// <exception cref="BadInputException">The file cannot be read, is not in UTF-8, or its quotes do not match.</exception>
    public static IReadOnlyList<CsvRecord> Read(string path) => Parse(path, RowFile.ReadText(path));

    /// <summary>All records of a text.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="text">Its text; line ends inside quotes are kept as they are.</param>
    /// <param name="separator">What stands between fields.</param>
    /// <exception cref="BadInputException">Its quotes do not match.</exception>
    public static IReadOnlyList<CsvRecord> Parse(string path, string text, char separator = ',')
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Contains('\0', StringComparison.Ordinal))
        {
            throw new BadInputException($"{path} is not a CSV file: it has zero bytes.");
        }

        var configuration = new CsvConfiguration(CultureInfo.InvariantCulture)
        {
            HasHeaderRecord = false,
            Delimiter = separator.ToString(),
            DetectColumnCountChanges = false,
            IgnoreBlankLines = true,
            BadDataFound = a => throw new BadInputException($"{path}, row {a.Context.Parser!.Row}: {(IsOpen(text) ? "a quote is opened and never closed" : "a quote stands where none can; a field with quotes must be quoted, its quotes doubled")}."),
        };
        using var reader = new StringReader(text);
        using var parser = new CsvParser(reader, configuration);
        var records = new List<CsvRecord>();
        int line = 1;
        while (parser.Read())
        {
            records.Add(new CsvRecord(records.Count + 1, line, [.. parser.Record!]));
            line = parser.RawRow + 1;
        }

        // A quote that is never closed takes the rest of the file into one field.
        if (IsOpen(text))
        {
            throw new BadInputException($"{path}, row {records.Count}: a quote is opened and never closed.");
        }

        return records;
    }

    /// <summary>Writes records, quoting fields with commas, quotes or line ends only.</summary>
    /// <param name="records">The fields of each.</param>
    /// <param name="newLine">What ends a record: a line feed as pandas writes, CR LF as the csv module does.</param>
    public static string Write(IEnumerable<IEnumerable<string>> records, string newLine = "\n")
    {
        ArgumentNullException.ThrowIfNull(records);
        var builder = new StringBuilder();
        using var text = new StringWriter(builder, CultureInfo.InvariantCulture);
        using (var writer = new CsvWriter(text, new CsvConfiguration(CultureInfo.InvariantCulture) { NewLine = newLine, ShouldQuote = a => a.Field.AsSpan().IndexOfAny(Special) >= 0 }))
        {
            foreach (var record in records)
            {
                foreach (string field in record)
                {
                    writer.WriteField(field);
                }

                writer.NextRecord();
            }
        }

        return builder.ToString();
    }

    // Quotes are doubled inside a quoted field and refused outside of one, so an odd number of them means an open one.
    private static bool IsOpen(string text) => text.AsSpan().Count('"') % 2 == 1;
}
