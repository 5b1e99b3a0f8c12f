using System.Text;

namespace Farm.Models.Prompts;

/// <summary>
/// Mistral instruct, after the template first published with <c>mistralai/Mistral-7B-Instruct-v0.2</c>: user and assistant in turn, no system role.
/// </summary>
internal sealed class MistralChatFormat : ChatFormat
{
    public override string Name => "mistral";

    protected override string Print(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        RequireAlternation(messages, 0);
        var text = new StringBuilder("<s>");
        foreach (var message in messages)
        {
            text.Append(message.Role == "user" ? $"[INST] {message.Content} [/INST]" : $"{message.Content}</s>");
        }

        return text.ToString();
    }
}
