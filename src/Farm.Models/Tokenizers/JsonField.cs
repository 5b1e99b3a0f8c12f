using System.Text.Json;
using Farm.Core;

namespace Farm.Models.Tokenizers;

/// <summary>A value in a JSON file that knows where it stands, so that every error names file and field.</summary>
internal readonly struct JsonField
{
    private readonly string _file;
    private readonly string _path;

    private JsonField(string file, string path, JsonElement element)
    {
        _file = file;
        _path = path;
        Element = element;
    }

    public JsonElement Element { get; }

    public string File => _file;

    public bool IsNull => Element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    /// <summary>Reads a file whose root is an object; null if there is no such file.</summary>
    public static JsonField? TryRead(string path)
    {
        if (!System.IO.File.Exists(path))
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(System.IO.File.ReadAllBytes(path));
            var root = new JsonField(path, string.Empty, document.RootElement.Clone());
            return root.Element.ValueKind == JsonValueKind.Object ? root : throw root.Error("must be an object");
        }
        catch (JsonException e)
        {
            throw new BadInputException($"{path} is not JSON: line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>A sentence on this field.</summary>
    public BadInputException Error(string what) => new($"{_file}: {(_path.Length == 0 ? "the root" : _path)} {what}.");

    /// <summary>The member, with <see cref="IsNull"/> if it is absent.</summary>
    public JsonField this[string name]
    {
        get
        {
            if (Element.ValueKind != JsonValueKind.Object)
            {
                throw Error("must be an object");
            }

            return new JsonField(_file, _path.Length == 0 ? name : $"{_path}.{name}", Element.TryGetProperty(name, out var value) ? value : default);
        }
    }

    public IEnumerable<JsonField> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw Error("must be an array");
        }

        var (file, path) = (_file, _path);
        return Element.EnumerateArray().Select((e, i) => new JsonField(file, $"{path}[{i}]", e));
    }

    public IEnumerable<(string Name, JsonField Value)> Members()
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw Error("must be an object");
        }

        var (file, path) = (_file, _path);
        return Element.EnumerateObject().Select(m => (m.Name, new JsonField(file, path.Length == 0 ? m.Name : $"{path}.{m.Name}", m.Value)));
    }

    public string String()
    {
        if (Element.ValueKind != JsonValueKind.String)
        {
            throw Error("must be a string");
        }

        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new BadInputException(Error("is not valid Unicode").Message, e);
        }
    }

    public string? StringOrNull() => IsNull ? null : String();

    public bool? BoolOrNull() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        _ => throw Error("must be true or false"),
    };

    public int Int() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) ? value : throw Error("must be an integer");

    /// <summary>A token id: an integer from 0 to 2^24 - 1, which bounds the tables made from it.</summary>
    public int TokenId() => Int() is >= 0 and < 1 << 24 and var id ? id : throw Error("must be a token id from 0 to 16777215");
}
