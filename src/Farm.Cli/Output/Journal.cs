using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;

namespace Farm.Cli.Output;

/// <summary>
/// What a run has finished, one line per row beside the output it is to become: <c>OUT.json.partial.jsonl</c>. The first line is the fingerprint
/// of the run, each further line <c>{"index": i, "row": {...}}</c>. A line is on the disk before the next is begun, so a run that is killed
/// loses only what it was working on. A last line that was torn by the kill is dropped when the journal is opened again.
/// </summary>
internal sealed class Journal : IDisposable
{
    private readonly FileStream _stream;
    private readonly SortedDictionary<int, JsonElement> _rows;

    private Journal(string output, FileStream stream, SortedDictionary<int, JsonElement> rows)
    {
        OutputPath = output;
        _stream = stream;
        _rows = rows;
    }

    /// <summary>The file that the rows become.</summary>
    public string OutputPath { get; }

    /// <summary>Number of finished rows.</summary>
    public int Count => _rows.Count;

    /// <summary>The finished rows in order.</summary>
    public IEnumerable<JsonElement> Rows => _rows.Values;

    /// <summary>Where the journal of an output lies.</summary>
    public static string PathOf(string output) => output + ".partial.jsonl";

    /// <summary>Opens the journal of <paramref name="output"/>, new or to go on with.</summary>
    /// <param name="output">The result file.</param>
    /// <param name="fingerprint">Everything that decides the rows.</param>
    /// <param name="resume">Goes on with a journal that is there.</param>
    /// <param name="restart">Throws away a journal that is there.</param>
    /// <exception cref="BadInputException">
    /// A journal is there and neither is asked for; it belongs to another run; it is in use; the path cannot be written.
    /// </exception>
    public static Journal Open(string output, JsonObject fingerprint, bool resume, bool restart)
    {
        string path = PathOf(output);
        OutputFile.Check(output);
        if (File.Exists(path) && !resume && !restart)
        {
            throw new BadInputException($"{path} holds an unfinished run: add --resume to go on with it or --restart to begin again.");
        }

        Journal? journal = null;
        OutputFile.Guard(path, () =>
        {
            var stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            try
            {
                journal = new Journal(output, stream, resume ? Load(path, stream, fingerprint) : []);
                if (!resume || stream.Length == 0)
                {
                    stream.SetLength(0);
                    journal.WriteLine(fingerprint.ToJsonString());
                }
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        });
        return journal!;
    }

    /// <summary>True where the row is finished.</summary>
    public bool Contains(int index) => _rows.ContainsKey(index);

    /// <summary>Adds a finished row and brings it to the disk.</summary>
    /// <param name="index">Its place in the output, from 0.</param>
    /// <param name="writeRow">Writes the row, one JSON object.</param>
    /// <exception cref="BadInputException">The disk is full or refuses.</exception>
    public void Append(int index, Action<Utf8JsonWriter> writeRow)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, OutputFile.Compact))
        {
            writer.WriteStartObject();
            writer.WriteNumber("index", index);
            writer.WritePropertyName("row");
            writeRow(writer);
            writer.WriteEndObject();
        }

        string line = Encoding.UTF8.GetString(buffer.ToArray());
        OutputFile.Guard(PathOf(OutputPath), () => WriteLine(line));
        using var document = JsonDocument.Parse(line);
        _rows[index] = document.RootElement.GetProperty("row").Clone();
    }

    /// <summary>Writes the output from all rows, in order, and removes the journal.</summary>
    public void Complete()
    {
        OutputFile.WriteRows(OutputPath, _rows.Values);
        _stream.Dispose();
        File.Delete(PathOf(OutputPath));
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private static SortedDictionary<int, JsonElement> Load(string path, FileStream stream, JsonObject fingerprint)
    {
        var rows = new SortedDictionary<int, JsonElement>();
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        int start = 0;
        for (int end; (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1)
        {
            try
            {
                using var document = JsonDocument.Parse(bytes.AsMemory(start, end - start));
                if (start == 0)
                {
                    Compare(path, JsonObject.Create(document.RootElement)!, fingerprint);
                }
                else
                {
                    rows[document.RootElement.GetProperty("index").GetInt32()] = document.RootElement.GetProperty("row").Clone();
                }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
            {
                throw new BadInputException($"{path} is damaged at byte {start}: use --restart to begin again.", e);
            }
        }

        // What follows the last line feed is the torn line of a killed run.
        stream.SetLength(start);
        stream.Position = start;
        return rows;
    }

    private static void Compare(string path, JsonObject old, JsonObject now)
    {
        string[] differing = [.. old.Select(p => p.Key).Union(now.Select(p => p.Key)).Where(k => !JsonNode.DeepEquals(old[k], now[k]))];
        if (differing.Length > 0)
        {
            throw new BadInputException(
                $"{path} belongs to a run with other settings ({string.Join(", ", differing.Select(k => $"{k}: {Show(old[k])} there, {Show(now[k])} now"))}): repeat that run's command with --resume, or use --restart to begin again.");
        }
    }

    private static string Show(JsonNode? node)
    {
        string text = node?.ToJsonString() ?? "absent";
        return text.Length <= 80 ? text : text[..77] + "...";
    }

    private void WriteLine(string line)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
        long start = _stream.Position;
        try
        {
            _stream.Write(bytes);
            _stream.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or ArgumentOutOfRangeException)
        {
            // A resume would drop the torn line too; cutting it keeps the journal readable for people.
            try
            {
                _stream.SetLength(start);
            }
            catch (IOException)
            {
            }

            throw;
        }
    }
}
