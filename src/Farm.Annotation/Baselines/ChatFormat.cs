using Farm.Annotation.Replies;
using Farm.Core;

namespace Farm.Annotation.Baselines;

/// <summary>How a model family spells a conversation as one text, for servers that take text and know no chats.</summary>
public sealed class ChatFormat
{
    private const string SystemRole = "system", UserRole = "user";
    private readonly Func<string?, string, string> _format;

    private ChatFormat(string name, Func<string?, string, string> format, params string[] stop) => (Name, _format, Stop) = (name, format, stop);

    /// <summary>All formats.</summary>
    public static IReadOnlyList<ChatFormat> All { get; } =
    [
        new("none", (system, user) => system is null ? user : $"{system}\n\n{user}"),
        new("alpaca", (system, user) => AlpacaPrompts.V0.Format(system is null ? user : $"{system}\n\n{user}", null), "### Instruction:"),
        new("chatml", (system, user) => $"{Turn(SystemRole, system)}{Turn(UserRole, user)}<|im_start|>assistant\n", "<|im_end|>"),
        new("gemma", (system, user) => $"<start_of_turn>user\n{(system is null ? "" : system + "\n\n")}{user}<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>"),
        new("llama-2", (system, user) => $"<s>[INST] {(system is null ? "" : $"<<SYS>>\n{system}\n<</SYS>>\n\n")}{user} [/INST]", "</s>"),
        new("llama-3", (system, user) => $"<|begin_of_text|>{Header(SystemRole, system)}{Header(UserRole, user)}<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"),
        new("mistral", (system, user) => $"<s>[INST] {(system is null ? "" : system + "\n\n")}{user} [/INST]", "</s>"),
        new("vicuna", (system, user) => $"{(system is null ? "" : system + " ")}USER: {user} ASSISTANT:", "</s>"),
        new("zephyr", (system, user) => $"{(system is null ? "" : $"<|system|>\n{system}</s>\n")}<|user|>\n{user}</s>\n<|assistant|>\n", "</s>"),
    ];

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>What ends an answer.</summary>
    public IReadOnlyList<string> Stop { get; }

    /// <summary>The format of a name.</summary>
    /// <exception cref="BadInputException">There is none.</exception>
    public static ChatFormat Of(string name) =>
        All.FirstOrDefault(f => f.Name == name) ?? throw new BadInputException($"There is no chat format '{name}'; there are {string.Join(", ", All.Select(f => f.Name))}.");

    /// <summary>The text of a question, up to where the answer begins.</summary>
    public Prompt Format(string user, string? system = null) => Prompt.Plain(_format(system, user));

    private static string Turn(string role, string? text) => text is null ? "" : $"<|im_start|>{role}\n{text}<|im_end|>\n";

    private static string Header(string role, string? text) => text is null ? "" : $"<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>";
}
