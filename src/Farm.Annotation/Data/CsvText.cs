using System.Text;
using Farm.Core;

namespace Farm.Annotation.Data;

/// <summary>Separated values as RFC 4180 has them: cells with separators, quotes or line ends stand in quotes, quotes doubled.</summary>
public static class CsvText
{
    /// <summary>The records of a text; empty lines are left out.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="text">Its text; rows end with <c>\n</c> or <c>\r\n</c>, and line ends inside quotes are kept as they are.</param>
    /// <param name="separator">What stands between cells.</param>
    /// <exception cref="BadInputException">A quote is never closed.</exception>
    public static IEnumerable<string[]> Records(string path, string text, char separator = ',')
    {
        ArgumentNullException.ThrowIfNull(text);
        var cells = new List<string>();
        var cell = new StringBuilder();
        int line = 1;
        for (int i = 0; i <= text.Length; i++)
        {
            char c = i < text.Length ? text[i] : '\n';
            if (c == '"' && cell.Length == 0)
            {
                i = Quoted(path, text, i, ref line, cell);
            }
            else if (c == separator)
            {
                cells.Add(cell.ToString());
                cell.Clear();
            }
            else if (c == '\n')
            {
                line++;
                if (cells.Count > 0 || cell.Length > 0)
                {
                    yield return [.. cells, cell.ToString()];
                }

                cells.Clear();
                cell.Clear();
            }
            else if (c != '\r' || (i + 1 < text.Length && text[i + 1] != '\n'))
            {
                cell.Append(c);
            }
        }
    }

    /// <summary>Writes one cell, in quotes where it needs them.</summary>
    public static string Cell(string text, char separator = ',')
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.AsSpan().IndexOfAny([separator, '"', '\n', '\r']) < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    /// <summary>Appends what stands in the quotes that open at a place, and returns the place of the closing one.</summary>
    private static int Quoted(string path, string text, int opening, ref int line, StringBuilder cell)
    {
        int opened = line;
        for (int i = opening + 1; i < text.Length; i++)
        {
            if (text[i] != '"')
            {
                line += text[i] == '\n' ? 1 : 0;
                cell.Append(text[i]);
            }
            else if (i + 1 < text.Length && text[i + 1] == '"')
            {
                cell.Append('"');
                i++;
            }
            else
            {
                return i;
            }
        }

        throw new BadInputException($"{path}: the quote opened in line {opened} is never closed.");
    }
}
