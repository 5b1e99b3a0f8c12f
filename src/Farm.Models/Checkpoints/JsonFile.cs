using System.Text.Json;
using System.Text.Unicode;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Reads the small JSON files beside the weights.</summary>
internal static class JsonFile
{
    private const long MostBytes = 64 * 1024 * 1024;

    /// <summary>The file's JSON object; every string in it is known to decode.</summary>
    /// <exception cref="BadInputException">The file cannot be read or is not a JSON object; the message names line and column.</exception>
    public static JsonDocument ReadObject(string path)
    {
        byte[] bytes;
        using (var file = CheckpointFile.Open(path))
        {
            if (file.Length > MostBytes)
            {
                throw file.Bad($"{file.Length} bytes are too many for this JSON file");
            }

            bytes = new byte[file.Length];
            file.Read(0, bytes);
        }

        ReadOnlyMemory<byte> text = bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsMemory(3) : bytes;
        if (!Utf8.IsValid(text.Span))
        {
            throw new BadInputException($"{path}: the file is not valid UTF-8.");
        }

        JsonDocument? document = null;
        try
        {
            document = JsonDocument.Parse(text);
            CheckStrings(document.RootElement);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path}: the file is not valid JSON (line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}).", e);
        }
        catch (InvalidOperationException e)
        {
            document?.Dispose();
            throw new BadInputException($"{path}: the file holds an escape that is half a surrogate pair.", e);
        }

        document.Dispose();
        throw new BadInputException($"{path}: the file holds no JSON object.");
    }

    // A lone \ud800 parses but does not decode; it is found here rather than where the string is used. The parser bounds the depth.
    private static void CheckStrings(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                {
                    CheckStrings(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                {
                    _ = property.Name;
                    CheckStrings(property.Value);
                }

                break;
        }
    }
}
