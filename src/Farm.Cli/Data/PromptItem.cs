namespace Farm.Cli.Data;

/// <summary>A prompt of a run.</summary>
/// <param name="Index">Its place in the input, from 0; the first key of its random draws.</param>
/// <param name="Text">The text before tokenisation, null where ids were given.</param>
/// <param name="Ids">Its token ids, special tokens included.</param>
/// <param name="Row">The row it was made from, null for a prompt given as a flag.</param>
internal sealed record PromptItem(int Index, string? Text, int[] Ids, InstructionRow? Row);
