namespace Farm.Pocket.Tasks;

/// <summary>A response as the judge sees it. Any text is accepted; what lies past <see cref="Limit"/> characters only counts as length.</summary>
internal sealed class Response
{
    /// <summary>Characters that are looked at.</summary>
    public const int Limit = 4000;

    public Response(string? text)
    {
        string trimmed = (text ?? string.Empty).Trim();
        Length = trimmed.Length;
        Text = trimmed.Length > Limit ? trimmed[..Limit] : trimmed;
        Words = [.. Split(Text)];
        Lower = [.. Words.Select(w => w.ToLowerInvariant())];
    }

    /// <summary>Without white space at its ends.</summary>
    public string Text { get; }

    /// <summary>Characters of the whole text.</summary>
    public int Length { get; }

    /// <summary>Runs of letters, digits and apostrophes.</summary>
    public IReadOnlyList<string> Words { get; }

    /// <summary>The words in lower case.</summary>
    public IReadOnlyList<string> Lower { get; }

    /// <summary>True if it says the word, given in lower case.</summary>
    public bool Says(string word) => Lower.Contains(word);

    private static IEnumerable<string> Split(string text)
    {
        int start = -1;
        for (int i = 0; i <= text.Length; i++)
        {
            bool inside = i < text.Length && (char.IsLetterOrDigit(text[i]) || (text[i] == '\'' && start >= 0));
            if (inside && start < 0)
            {
                start = i;
            }
            else if (!inside && start >= 0)
            {
                yield return text[start..i].TrimEnd('\'');
                start = -1;
            }
        }
    }
}
