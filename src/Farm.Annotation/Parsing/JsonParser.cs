using System.Text.Json;
using System.Text.RegularExpressions;
using Farm.Annotation.Python;

namespace Farm.Annotation.Parsing;

/// <summary>Reads JSON, which may stand in a fence: the value of a key of an object, or of each object of a list.</summary>
internal sealed partial class JsonParser(string? annotationKey) : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion)
    {
        string text = Texts.Of(completion);
        if (Fence().Match(text) is { Success: true } fence)
        {
            text = fence.Groups[1].Value;
        }

        object? value;
        try
        {
            using var document = JsonDocument.Parse(text);
            value = PythonValue.From(document.RootElement);
        }
        catch (JsonException e)
        {
            throw new UnparsedReplyException(FailureReason.NotJson, $"the reply is not JSON: line {(e.LineNumber ?? 0) + 1}, column {(e.BytePositionInLine ?? 0) + 1}");
        }

        return value is List<object?> list ? [.. list.Select(Pick)] : [Pick(value)];
    }

    private object? Pick(object? value)
    {
        if (annotationKey is null)
        {
            return value;
        }

        return value is OrderedDictionary<object, object?> map && map.TryGetValue(annotationKey, out object? found)
            ? found
            : throw new UnparsedReplyException(FailureReason.MissingKey, $"the reply has no key '{annotationKey}'");
    }

    [GeneratedRegex("```json(.*?)```", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Fence();
}
