namespace Farm.Cli.Options;

/// <summary>The verbs that no device would make any faster, and why: what <c>--device</c> is answered with there.</summary>
internal static class WithoutDevice
{
    private const string Asks = "the models it asks run behind a server", Counts = "it counts annotations that are there and runs no model", Files = "it makes one file of another and runs no model", Judges = "the pocket world's judges are rules, not models";

    private static readonly Dictionary<string, string> s_reasons = new(StringComparer.Ordinal)
    {
        ["recover"] = "it reads weights from files, adds them once and writes them to files",
        ["leaderboard"] = Counts,
        ["analyze"] = Counts,
        ["consistency"] = Counts,
        ["winrate"] = Counts,
        ["annotate import-cache"] = Files,
        ["annotate export-cache"] = Files,
        ["annotate reparse"] = "it reads replies that are there and asks no model",
        ["annotate ratings"] = Asks,
        ["annotate rankings"] = Asks,
        ["annotate ultrafeedback"] = Asks,
        ["ultrafeedback"] = Asks,
        ["sparse-feedback"] = Files,
        ["oai-baseline"] = Asks,
        ["compare-models"] = Asks,
        ["tokenize"] = "it runs a tokenizer and no model",
        ["bench make-model"] = "it writes random weights to a file and runs no model",
        ["bench memory"] = "it plans the memory of any card without touching one",
        ["pocket export"] = "it writes instructions and runs no model",
        ["pocket score"] = Judges,
        ["pocket prefer"] = Judges,
        ["pocket base"] = "it writes random weights to a file and runs no model",
    };

    /// <summary>The verbs, each from <c>farm</c> on; one with verbs of its own stands for all of them.</summary>
    public static IEnumerable<string> Verbs => s_reasons.Keys.Select(v => "farm " + v);

    /// <summary>Why a verb takes no <c>--device</c>, as a sentence; null where it takes one.</summary>
    /// <param name="path">The verb with those above it, from <c>farm</c> on.</param>
    public static string? Sentence(string path)
    {
        string[] words = path.Split(' ');
        return words.Length > 1 && (s_reasons.TryGetValue(string.Join(' ', words[1..]), out string? reason) || s_reasons.TryGetValue(words[1], out reason)) ? $"{path} takes no --device: {reason}." : null;
    }
}
