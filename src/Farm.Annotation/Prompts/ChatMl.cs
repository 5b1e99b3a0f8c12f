using Farm.Core;

namespace Farm.Annotation.Prompts;

/// <summary>A message of a chat.</summary>
/// <param name="Role">Who speaks.</param>
/// <param name="Content">What is said.</param>
/// <param name="Fields">Other fields, e.g. <c>name</c>.</param>
public sealed record ChatMlMessage(string Role, string Content, IReadOnlyList<KeyValuePair<string, string>> Fields);

/// <summary>
/// Prompts written as <c>&lt;|im_start|&gt;role ... &lt;|im_end|&gt;</c>. There is no escaping: such a mark inside an instruction or an
/// output splits or cuts the message it stands in, as it does in alpaca_eval.
/// </summary>
public static class ChatMl
{
    /// <summary>What a message begins with.</summary>
    public const string Start = "<|im_start|>";

    /// <summary>What a message ends with.</summary>
    public const string End = "<|im_end|>";

    /// <summary>Does the text look like Chat-ML?</summary>
    public static bool Is(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return prompt.AsSpan().Trim().StartsWith(Start);
    }

    /// <summary>The messages of a prompt.</summary>
    /// <exception cref="BadInputException">It does not begin and end with the marks.</exception>
    public static IReadOnlyList<ChatMlMessage> Parse(string prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        prompt = prompt.Trim();
        if (!prompt.StartsWith(Start, StringComparison.Ordinal) || !prompt.EndsWith(End, StringComparison.Ordinal))
        {
            throw new BadInputException($"The prompt must begin with {Start} and end with {End}, since the model takes chats; requires_chatml: false sends it as plain text.");
        }

        return [.. prompt.Split(Start).Skip(1).Select(Message)];
    }

    private static ChatMlMessage Message(string piece)
    {
        int line = piece.IndexOf('\n', StringComparison.Ordinal);
        string role = (line < 0 ? piece : piece[..line]).Trim();
        string rest = line < 0 ? string.Empty : piece[(line + 1)..];
        int end = rest.IndexOf(End, StringComparison.Ordinal);
        string content = (end < 0 ? rest : rest[..end]).Trim();
        if (!role.StartsWith("system", StringComparison.Ordinal) || role == "system")
        {
            return new ChatMlMessage(role, content, []);
        }

        var fields = role["system".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(f => f.Split('=', 2))
            .Where(f => f.Length == 2)
            .Select(f => KeyValuePair.Create(f[0], f[1]));
        return new ChatMlMessage("system", content, [.. fields]);
    }
}
