using Farm.Core;

namespace Farm.Models.Prompts;

/// <summary>
/// The chat format of a model family, printing exactly what the <c>chat_template</c> published with the models prints. The text holds its own
/// BOS where the template does, so encode it with <c>addSpecialTokens: false</c>.
/// </summary>
public abstract class ChatFormat
{
    private static readonly Dictionary<string, ChatFormat> s_formats = new(StringComparer.OrdinalIgnoreCase)
    {
        ["llama2"] = new Llama2ChatFormat(),
        ["llama3"] = new Llama3ChatFormat(),
        ["mistral"] = new MistralChatFormat(),
        ["qwen2"] = new ChatMLFormat("qwen2", "You are a helpful assistant."),
        ["qwen2.5"] = new ChatMLFormat("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
        ["tinyllama"] = new TinyLlamaChatFormat(),
        ["smollm2"] = new ChatMLFormat("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
        ["chatml"] = new ChatMLFormat("chatml", null),
    };

    /// <summary>The names that <see cref="For"/> knows.</summary>
    public static IReadOnlyCollection<string> Names => s_formats.Keys;

    /// <summary>The family's name.</summary>
    public abstract string Name { get; }

    /// <summary>The format of a family by name, in any case.</summary>
    /// <exception cref="BadInputException">The name is not known; the message lists the names.</exception>
    public static ChatFormat For(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return s_formats.TryGetValue(name, out var format)
            ? format
            : throw new BadInputException($"The chat format '{name}' is not known; known are {string.Join(", ", Names)}.");
    }

    /// <summary>The format whose markers stand in a Jinja chat template, null if there is no template or it is of no known family.</summary>
    public static ChatFormat? Detect(string? chatTemplate)
    {
        bool Has(string marker) => chatTemplate!.Contains(marker, StringComparison.Ordinal);
        return chatTemplate switch
        {
            null => null,
            _ when Has("<|start_header_id|>") => s_formats["llama3"],
            _ when Has("<|im_start|>") => Has("named SmolLM") ? s_formats["smollm2"]
                : Has("You are Qwen, created by") ? s_formats["qwen2.5"]
                : Has("You are a helpful assistant") ? s_formats["qwen2"] : s_formats["chatml"],
            _ when Has("<|user|>") && Has("<|assistant|>") && Has("eos_token") => s_formats["tinyllama"],
            _ when Has("<<SYS>>") => s_formats["llama2"],
            _ when Has("[INST]") => s_formats["mistral"],
            _ => null,
        };
    }

    /// <summary>The conversation as text, ending with the opening of the assistant's turn if <paramref name="addGenerationPrompt"/>.</summary>
    /// <exception cref="BadInputException">No messages, an unknown role, or an order of roles that the family's template refuses.</exception>
    public string Format(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt = true)
    {
        ArgumentNullException.ThrowIfNull(messages);
        if (messages.Count == 0)
        {
            throw new BadInputException("A conversation needs at least one message.");
        }

        for (var i = 0; i < messages.Count; i++)
        {
            if (messages[i].Role is not ("system" or "user" or "assistant"))
            {
                throw new BadInputException($"Message {i + 1} has the unknown role '{messages[i].Role}'; known are system, user and assistant.");
            }
        }

        return Print(messages, addGenerationPrompt);
    }

    /// <summary>Prints messages whose roles are known.</summary>
    protected abstract string Print(IReadOnlyList<ChatMessage> messages, bool addGenerationPrompt);

    /// <summary>Throws unless roles alternate user, assistant, user ... from the given message on.</summary>
    private protected void RequireAlternation(IReadOnlyList<ChatMessage> messages, int start)
    {
        for (var i = start; i < messages.Count; i++)
        {
            var wanted = (i - start) % 2 == 0 ? "user" : "assistant";
            if (messages[i].Role != wanted)
            {
                throw new BadInputException($"Message {i + 1} has the role '{messages[i].Role}' where the {Name} format needs '{wanted}'.");
            }
        }
    }
}
