using System.Text;
using Farm.Core;

namespace Farm.Cli.Data;

/// <summary>Comma-separated values as RFC 4180 has them: fields with commas, quotes or line ends stand in quotes, quotes doubled.</summary>
internal static class CsvFile
{
    /// <summary>The records of a file, empty lines left out.</summary>
    /// <exception cref="BadInputException">The file cannot be read, or a quote is never closed.</exception>
    public static IEnumerable<string[]> Read(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path, Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be read: {e.Message}", e);
        }

        return Records(path, text);
    }

    private static IEnumerable<string[]> Records(string path, string text)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        bool quoted = false;
        int line = 1, opened = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            char c = i < text.Length ? text[i] : '\n';
            line += c == '\n' ? 1 : 0;
            if (quoted)
            {
                if (i == text.Length)
                {
                    throw new BadInputException($"{path}: the quote opened in line {opened} is never closed.");
                }

                if (c != '"')
                {
                    field.Append(c);
                }
                else if (i + 1 < text.Length && text[i + 1] == '"')
                {
                    field.Append('"');
                    i++;
                }
                else
                {
                    quoted = false;
                }
            }
            else if (c == '"' && field.Length == 0)
            {
                (quoted, opened) = (true, line);
            }
            else if (c == ',')
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else if (c == '\n')
            {
                if (fields.Count > 0 || field.Length > 0)
                {
                    yield return [.. fields, field.ToString()];
                }

                fields.Clear();
                field.Clear();
            }
            else if (c != '\r' || i + 1 < text.Length && text[i + 1] != '\n')
            {
                field.Append(c);
            }
        }
    }
}
