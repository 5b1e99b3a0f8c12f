using System.Text.Json;

namespace Farm.Annotation.Completions;

/// <summary>Reads a reply of an OpenAI-compatible server as alpaca_eval keeps it.</summary>
internal static class OpenAiReply
{
    /// <summary>The choices, one for each prompt; for one prompt the first.</summary>
    /// <exception cref="JsonException">The body is cut off or no reply.</exception>
    public static IReadOnlyList<CompletionReply> Read(ReadOnlyMemory<byte> body, int prompts)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("choices", out var choices) || choices.ValueKind != JsonValueKind.Array || choices.GetArrayLength() == 0)
        {
            throw new JsonException("the reply has no choices");
        }

        // What the request cost is shared equally by its prompts, as alpaca_eval does.
        double? tokens = root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty("total_tokens", out var total) && total.ValueKind == JsonValueKind.Number
            ? total.GetDouble() / prompts
            : null;
        return prompts == 1 ? [Reply(choices[0], tokens)] : [.. choices.EnumerateArray().Index().OrderBy(c => Place(c.Item, c.Index)).Select(c => Reply(c.Item, tokens))];
    }

    private static int Place(JsonElement choice, int otherwise) =>
        choice.ValueKind == JsonValueKind.Object && choice.TryGetProperty("index", out var index) && index.TryGetInt32(out int place) ? place : otherwise;

    private static CompletionReply Reply(JsonElement choice, double? tokens)
    {
        string text = Text(choice) ?? throw new JsonException("the reply's choice has neither a message nor a text");
        return new CompletionReply { Text = text, TotalTokens = tokens, Choice = WithText(choice, text, tokens) };
    }

    private static string? Text(JsonElement choice)
    {
        if (choice.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (!choice.TryGetProperty("message", out var message) || message.ValueKind != JsonValueKind.Object)
        {
            return choice.TryGetProperty("text", out var plain) && plain.ValueKind == JsonValueKind.String ? plain.GetString() : null;
        }

        if (message.TryGetProperty("tool_calls", out var tools) && tools.ValueKind == JsonValueKind.Array && tools.GetArrayLength() > 0)
        {
            return tools[0].TryGetProperty("function", out var tool) ? Arguments(tool) : null;
        }

        if (message.TryGetProperty("function_call", out var call) && call.ValueKind == JsonValueKind.Object)
        {
            return Arguments(call);
        }

        string? content = message.TryGetProperty("content", out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : string.Empty;
        return string.IsNullOrEmpty(content) ? " " : content;
    }

    private static string Arguments(JsonElement call) =>
        call.ValueKind == JsonValueKind.Object && call.TryGetProperty("arguments", out var arguments) && arguments.ValueKind == JsonValueKind.String ? arguments.GetString()! : string.Empty;

    private static JsonElement WithText(JsonElement choice, string text, double? tokens)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var field in choice.EnumerateObject().Where(f => f.Name is not ("text" or "total_tokens")))
            {
                field.WriteTo(writer);
            }

            writer.WriteString("text", text);
            if (tokens is { } total)
            {
                writer.WriteNumber("total_tokens", total);
            }

            writer.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
        return document.RootElement.Clone();
    }
}
