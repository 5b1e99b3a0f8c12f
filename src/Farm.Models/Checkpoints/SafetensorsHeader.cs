using System.Text.Json;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>One tensor of a safetensors header; offsets count from the start of the data.</summary>
internal readonly record struct SafetensorsEntry(string Name, StoredType Type, long[] Shape, long Begin, long End);

/// <summary>Parses the JSON header of a safetensors file, token by token, so that a large header costs little more than its bytes.</summary>
internal static class SafetensorsHeader
{
    private const int MostDimensions = 64;

    /// <exception cref="BadInputException">The header is not JSON, or a field is missing, repeated, or of a wrong type or size.</exception>
    public static List<SafetensorsEntry> Parse(CheckpointFile file, ReadOnlySpan<byte> header)
    {
        try
        {
            return ParseObject(file, header);
        }
        catch (JsonException e)
        {
            throw new BadInputException(
                $"{file.Path}: the header is not valid JSON (line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}).", e);
        }
        catch (InvalidOperationException e)
        {
            // The reader's word for a string that is not UTF-8 or holds half a surrogate pair.
            throw new BadInputException($"{file.Path}: the header holds text that is not valid Unicode.", e);
        }
    }

    private static List<SafetensorsEntry> ParseObject(CheckpointFile file, ReadOnlySpan<byte> header)
    {
        var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 16 });
        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string>();
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw file.Bad("the header is not a JSON object");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!names.Add(name))
            {
                throw file.Bad($"the header names '{name}' twice");
            }

            reader.Read();
            if (name == "__metadata__")
            {
                CheckMetadata(file, ref reader);
            }
            else
            {
                entries.Add(ParseTensor(file, ref reader, name));
            }
        }

        // Trailing spaces are padding; anything else throws.
        reader.Read();
        return entries;
    }

    private static void CheckMetadata(CheckpointFile file, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw file.Bad("__metadata__ in the header is not an object of strings");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.String)
            {
                throw file.Bad("__metadata__ in the header is not an object of strings");
            }
        }
    }

    private static SafetensorsEntry ParseTensor(CheckpointFile file, ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw file.Bad($"tensor '{name}' is not described by an object");
        }

        string? type = null;
        List<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            reader.Read();
            switch (field)
            {
                case "dtype" when type is null && reader.TokenType == JsonTokenType.String:
                    type = reader.GetString();
                    break;
                case "shape" when shape is null:
                    shape = Integers(file, ref reader, name, field, MostDimensions);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = Integers(file, ref reader, name, field, 2);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw file.Bad($"field '{field}' of tensor '{name}' is repeated or of the wrong type");
                default:
                    reader.Skip();
                    break;
            }
        }

        if (type is null || shape is null || offsets is not { Count: 2 })
        {
            throw file.Bad($"tensor '{name}' lacks {(type is null ? "dtype" : shape is null ? "shape" : "two data_offsets")}");
        }

        return Checked(file, name, type, [.. shape], offsets[0], offsets[1]);
    }

    private static SafetensorsEntry Checked(CheckpointFile file, string name, string type, long[] shape, long begin, long end)
    {
        if (!StoredType.Safetensors.TryGetValue(type, out var stored))
        {
            throw file.Bad($"tensor '{name}' has the unknown dtype '{type}'");
        }

        if (begin > end)
        {
            throw file.Bad($"tensor '{name}' ends (byte {end}) before it begins (byte {begin})");
        }

        Int128 bytes = stored.Size;
        foreach (long dimension in shape)
        {
            // A product over 2^63 is wrong already; stopping there keeps the next one inside 128 bits.
            bytes = bytes > long.MaxValue && dimension != 0 ? bytes : bytes * dimension;
        }

        if (bytes != end - begin)
        {
            throw file.Bad($"tensor '{name}' of shape {FileTensor.Describe(shape)} and dtype {type} has {end - begin} bytes of data, not the {bytes} that its shape needs");
        }

        return new SafetensorsEntry(name, stored, shape, begin, end);
    }

    private static List<long> Integers(CheckpointFile file, ref Utf8JsonReader reader, string name, string field, int most)
    {
        var values = new List<long>(2);
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.Number && values.Count < most
                && reader.TryGetInt64(out long value) && value >= 0)
            {
                values.Add(value);
            }
        }

        return reader.TokenType == JsonTokenType.EndArray
            ? values
            : throw file.Bad($"field '{field}' of tensor '{name}' is not a list of at most {most} whole numbers of at least 0");
    }
}
