namespace Farm.Annotation.Completions;

/// <summary>
/// The token ids of the words that alpaca_eval's own judges favour or avoid, by vocabulary, so that those judges need no vocabulary file. They are
/// what tiktoken's encodings give.
/// </summary>
internal static class KnownWords
{
    private static readonly Dictionary<string, int[]> s_r50k = new(StringComparer.Ordinal)
    {
        ["Both"] = [10265],
        ["Neither"] = [27270],
        ["None"] = [14202],
        [" Both"] = [5747],
        [" Neither"] = [16126],
        ["Either"] = [32478],
        ["depends"] = [10378, 2412],
        ["context"] = [22866],
        ["It"] = [1026],
        ["both"] = [16885],
        ["Sorry"] = [14385],
        ["Output (a)"] = [26410, 357, 64, 8],
        ["Output (b)"] = [26410, 357, 65, 8],
        ["(a)"] = [7, 64, 8],
        ["(b)"] = [7, 65, 8],
    };

    private static readonly Dictionary<TokenEncoding, Dictionary<string, int[]>> s_words = new()
    {
        // The two differ in runs of spaces alone.
        [TokenEncoding.R50kBase] = s_r50k,
        [TokenEncoding.P50kBase] = s_r50k,
        [TokenEncoding.Cl100kBase] = new(StringComparer.Ordinal)
        {
            ["Both"] = [21279],
            ["Neither"] = [63295],
            ["None"] = [4155],
            [" Both"] = [11995],
            [" Neither"] = [25215],
            ["Either"] = [50344],
            ["depends"] = [59047],
            ["context"] = [2196],
            ["It"] = [2181],
            ["both"] = [21704],
            ["Sorry"] = [19701],
            ["Output (a)"] = [5207, 320, 64, 8],
            ["Output (b)"] = [5207, 320, 65, 8],
            ["(a)"] = [2948, 8],
            ["(b)"] = [1921, 8],
        },
        [TokenEncoding.O200kBase] = new(StringComparer.Ordinal)
        {
            ["Both"] = [38229],
            ["Neither"] = [153247],
            ["None"] = [8505],
            [" Both"] = [17659],
            [" Neither"] = [49579],
            ["Either"] = [94545],
            ["depends"] = [140634],
            ["context"] = [3822],
            ["It"] = [3206],
            ["both"] = [47163],
            ["Sorry"] = [33680],
            ["Output (a)"] = [6310, 350, 64, 8],
            ["Output (b)"] = [6310, 350, 65, 8],
            ["(a)"] = [6271, 8],
            ["(b)"] = [3229, 8],
        },
    };

    /// <summary>All words.</summary>
    public static IEnumerable<string> All => s_r50k.Keys;

    /// <summary>The ids of a word, null where it is not among them.</summary>
    public static int[]? Find(TokenEncoding encoding, string word) => s_words[encoding].GetValueOrDefault(word);
}
