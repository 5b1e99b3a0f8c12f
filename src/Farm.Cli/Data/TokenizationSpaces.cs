namespace Farm.Cli.Data;

/// <summary>Hugging Face's clean-up of tokenization spaces, which AlpacaFarm's rollouts go through before the reward model reads them.</summary>
internal static class TokenizationSpaces
{
    private static readonly (string From, string To)[] Steps =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <summary>Takes the spaces out, one kind after the other.</summary>
    public static string CleanUp(string text)
    {
        foreach (var (from, to) in Steps)
        {
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return text;
    }
}
