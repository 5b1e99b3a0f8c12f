using System.Text;

namespace Farm.Models.Prompts;

/// <summary>TinyLlama chat, after the Zephyr-style template of <c>TinyLlama/TinyLlama-1.1B-Chat-v1.0</c>.</summary>
internal sealed class TinyLlamaChatFormat : ChatFormat
{
    public override string Name => "tinyllama";

    protected override string Print(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var text = new StringBuilder();
        foreach (var message in messages)
        {
            text.Append($"<|{message.Role}|>\n{message.Content}</s>\n");
        }

        return text.Append(addGenerationPrompt ? "<|assistant|>\n" : string.Empty).ToString();
    }
}
