namespace Farm.Models.Tokenizers;

/// <summary>A token that is found in the text before the model splits it, as Hugging Face tokenizers keep them.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Content">The exact text.</param>
/// <param name="Special">Left out when decoding with <c>skipSpecialTokens</c>.</param>
/// <param name="SingleWord">Found only where no word character touches it.</param>
/// <param name="LeftStrip">Takes the white space on its left with it.</param>
/// <param name="RightStrip">Takes the white space on its right with it.</param>
/// <param name="Normalized">Sought in the normalised text, by its normalised content, rather than in the raw text.</param>
public sealed record AddedToken(
    int Id,
    string Content,
    bool Special = true,
    bool SingleWord = false,
    bool LeftStrip = false,
    bool RightStrip = false,
    bool Normalized = false);
