using System.Text;

namespace Farm.Models.Prompts;

/// <summary>
/// LLaMA-3 instruct, after the template of <c>meta-llama/Meta-Llama-3-8B-Instruct</c>. The templates of 3.1 and later also print a system turn
/// with dates of their own; give it as a system message where it is wanted.
/// </summary>
internal sealed class Llama3ChatFormat : ChatFormat
{
    public override string Name => "llama3";

    protected override string Print(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt)
    {
        var text = new StringBuilder("<|begin_of_text|>");
        foreach (var message in messages)
        {
            text.Append($"<|start_header_id|>{message.Role}<|end_header_id|>\n\n{message.Content.Trim()}<|eot_id|>");
        }

        return text.Append(addGenerationPrompt ? "<|start_header_id|>assistant<|end_header_id|>\n\n" : string.Empty).ToString();
    }
}
