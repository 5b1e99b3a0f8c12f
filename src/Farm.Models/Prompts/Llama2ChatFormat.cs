using System.Text;
using Farm.Core;

namespace Farm.Models.Prompts;

/// <summary>
/// LLaMA-2 chat, after the template of <c>meta-llama/Llama-2-7b-chat-hf</c>: every user turn opens with BOS, the system message
/// stands inside the first one.
/// </summary>
internal sealed class Llama2ChatFormat : ChatFormat
{
    public override string Name => "llama2";

    protected override string Print(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var start = messages[0].Role == "system" ? 1 : 0;
        if (start == messages.Count)
        {
            throw new BadInputException("The llama2 format needs a user message after the system message.");
        }

        RequireAlternation(messages, start);
        var text = new StringBuilder();
        for (var i = start; i < messages.Count; i++)
        {
            var content = i == 1 && start == 1 ? $"<<SYS>>\n{messages[0].Content}\n<</SYS>>\n\n{messages[1].Content}" : messages[i].Content;
            text.Append(messages[i].Role == "user" ? $"<s>[INST] {content.Trim()} [/INST]" : $" {content.Trim()} </s>");
        }

        return text.ToString();
    }
}
