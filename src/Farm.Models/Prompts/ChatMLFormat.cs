using System.Text;

namespace Farm.Models.Prompts;

/// <summary>
/// ChatML, after the templates of <c>Qwen/Qwen2-7B-Instruct</c>, <c>Qwen/Qwen2.5-7B-Instruct</c> and <c>HuggingFaceTB/SmolLM2-1.7B-Instruct</c>, which differ in the
/// system message that they put in front of a conversation without one.
/// </summary>
internal sealed class ChatMLFormat(string name, string? defaultSystem) : ChatFormat
{
    public override string Name => name;

    protected override string Print(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var text = new StringBuilder();
        if (defaultSystem is not null && messages[0].Role != "system")
        {
            text.Append($"<|im_start|>system\n{defaultSystem}<|im_end|>\n");
        }

        foreach (var message in messages)
        {
            text.Append($"<|im_start|>{message.Role}\n{message.Content}<|im_end|>\n");
        }

        return text.Append(addGenerationPrompt ? "<|im_start|>assistant\n" : string.Empty).ToString();
    }
}
