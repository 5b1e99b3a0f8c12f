namespace Farm.Models.Tokenizers;

/// <summary>Text repairs that Hugging Face applies after decoding.</summary>
public static class TextCleanup
{
    private static readonly (string From, string To)[] s_rules =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
        (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>
    /// Removes the spaces that word tokenizers leave before punctuation and English contractions, rule after rule in the order of
    /// <c>clean_up_tokenization</c> in Hugging Face transformers.
    /// </summary>
    public static string CleanUpTokenizationSpaces(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (var (from, to) in s_rules)
        {
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return text;
    }
}
