namespace Farm.Annotation.Replies;

/// <summary>A message of a chat.</summary>
/// <param name="Role"><c>system</c>, <c>user</c> or <c>assistant</c>.</param>
/// <param name="Content">Its text.</param>
public sealed record PromptMessage(string Role, string Content);

/// <summary>What a model is asked: a chat, or one plain text to go on from.</summary>
/// <param name="Messages">The chat; null for a plain text.</param>
/// <param name="Text">The plain text; null for a chat.</param>
public sealed record Prompt(IReadOnlyList<PromptMessage>? Messages, string? Text)
{
    /// <summary>A chat of one user message, after a system message where there is one.</summary>
    public static Prompt Chat(string user, string? system = null) =>
        new([.. system is null ? Array.Empty<PromptMessage>() : [new PromptMessage("system", system)], new PromptMessage("user", user)], null);

    /// <summary>A plain text.</summary>
    public static Prompt Plain(string text) => new(null, text);
}
