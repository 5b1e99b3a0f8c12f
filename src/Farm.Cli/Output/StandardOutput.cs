using System.Text.Json;

namespace Farm.Cli.Output;

/// <summary>JSON on standard output, one value per line.</summary>
internal static class StandardOutput
{
    /// <summary>Writes one JSON value and a line feed, and brings them out at once.</summary>
    public static void WriteLine(Action<Utf8JsonWriter> write)
    {
        using var stream = Console.OpenStandardOutput();
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, OutputFile.Compact))
        {
            write(writer);
        }

        buffer.WriteByte((byte)'\n');
        buffer.Position = 0;
        buffer.CopyTo(stream);
        stream.Flush();
    }
}
