using System.Text.RegularExpressions;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.SparseFeedback;

/// <summary>What the judge is asked. Slots are filled in one pass, so that braces in texts stay what they are.</summary>
public sealed partial class SparsePrompts
{
    private const string BuiltInRating = """
        Rate the response to the instruction below on a scale of 1 to 7: 1 stands for a response that is wrong, harmful or beside the point, 4 for one that serves the asker with clear faults, 7 for one that is accurate, complete, clear and safe.
        Judge what the response says, not how long it is.

        Write the number alone on the first line. Explain it from the second line on.

        Instruction:
        {instruction}

        Response:
        {response}

        Rating:
        """;

    private const string BuiltInRanking = """
        Two responses to the instruction below are marked (a) and (b). Decide which of the two serves the asker better: by being right, complete, clear and safe, not by being longer or by coming first.

        Write (a) or (b) alone, the mark of the better one, and do not write the other mark anywhere.

        Instruction:
        {instruction}

        Response (a):
        {response_1}

        Response (b):
        {response_2}

        Better response:
        """;

    private static readonly string[] RatingSlots = ["instruction", "response"], RankingSlots = ["instruction", "response_1", "response_2"];
    private readonly string _rating;
    private readonly string _ranking;
    private readonly bool _asUpstream;

    private SparsePrompts(string rating, string ranking, bool asUpstream) => (_rating, _ranking, _asUpstream) = (rating, ranking, asUpstream);

    /// <summary>Makes the prompts.</summary>
    /// <param name="ratingPath">A template with the slots {instruction} and {response}; null for Farm's own.</param>
    /// <param name="rankingPath">A template with the slots {instruction}, {response_1} and {response_2}; null for Farm's own.</param>
    /// <param name="nanInput">True to show an input of <c>nan</c> where there is none, as Sparse Feedback's own scripts do.</param>
    /// <exception cref="BadInputException">A template cannot be read or has other slots.</exception>
    public static SparsePrompts Create(string? ratingPath = null, string? rankingPath = null, bool nanInput = false) => new(
        ratingPath is null ? BuiltInRating : Checked(ratingPath, RatingSlots),
        rankingPath is null ? BuiltInRanking : Checked(rankingPath, RankingSlots),
        nanInput);

    /// <summary>Asks for a rating.</summary>
    public string Rating(string instruction, string input, string response) =>
        Fill(_rating, new() { ["instruction"] = Task(instruction, input), ["response"] = response });

    /// <summary>Asks which of two is better, in this order.</summary>
    public string Ranking(string instruction, string input, string response1, string response2) =>
        Fill(_ranking, new() { ["instruction"] = Task(instruction, input), ["response_1"] = response1, ["response_2"] = response2 });

    private string Task(string instruction, string input)
    {
        string? shown = SparseInput.Of(input) ?? (_asUpstream ? "nan" : null);
        return shown is null ? instruction : $"{instruction}\n\nInput:\n{shown}";
    }

    private static string Checked(string path, string[] slots)
    {
        string text = RowFile.ReadText(path).ReplaceLineEndings("\n");
        string[] found = [.. Slot().Matches(text).Select(m => m.Groups[1].Value)];
        return slots.Where(s => found.Count(f => f == s) != 1).FirstOrDefault() is { } missing
            ? throw new BadInputException($"{path} must have the slot {{{missing}}} once, and has it {found.Count(f => f == missing)} times.")
            : text;
    }

    private static string Fill(string template, Dictionary<string, string> values) =>
        Slot().Replace(template, m => values.TryGetValue(m.Groups[1].Value, out string? value) ? value : m.Value);

    [GeneratedRegex(@"\{([a-z_0-9]+)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Slot();
}
