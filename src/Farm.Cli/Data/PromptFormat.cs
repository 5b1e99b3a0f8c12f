namespace Farm.Cli.Data;

/// <summary>How a row becomes a prompt.</summary>
/// <param name="Format">Makes the text of an instruction and its input, which may be null or empty.</param>
/// <param name="AddSpecialTokens">False where the text spells its special tokens itself, so that the tokenizer must not add them again.</param>
internal sealed record PromptFormat(Func<string, string?, string> Format, bool AddSpecialTokens = true);
