using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Farm.Annotation.UltraFeedback;

/// <summary>What a judge said of one completion on one aspect.</summary>
/// <param name="Rating">A number as text, or <c>N/A</c>.</param>
/// <param name="Rationale">Why; of the types where the aspect has them.</param>
/// <param name="Types">The numbers of the types; null where the aspect has none or the reply says None.</param>
/// <param name="TypesAreNone">True where the reply says None.</param>
/// <param name="RatingRationale">Why the rating, in an aspect with types.</param>
public sealed record AspectRating(string Rating, string Rationale, IReadOnlyList<string>? Types = null, bool TypesAreNone = false, string? RatingRationale = null)
{
    private const string RatingField = "Rating", RationaleField = "Rationale", TypeField = "Type", WhyField = "Rationale For Rating";

    /// <summary>The rating as a record of UltraFeedback's files.</summary>
    public JsonObject ToJson()
    {
        var record = new JsonObject();
        if (RatingRationale is null)
        {
            record[RatingField] = Rating;
            record[RationaleField] = Rationale;
            return record;
        }

        record[TypeField] = TypesAreNone ? JsonValue.Create("None") : new JsonArray([.. (Types ?? []).Select(t => (JsonNode)JsonValue.Create(t))]);
        record[RationaleField] = Rationale;
        record[RatingField] = Rating;
        record[WhyField] = RatingRationale;
        return record;
    }
}

/// <summary>Reads a judge's reply on one aspect: blocks set apart by an empty line, one for each text that it was shown.</summary>
public static partial class AspectReply
{
    private const string NotApplicable = "N/A", NoTypes = "None";
    private const int Lowest = 1, Highest = 5;

    /// <summary>Reads the reply.</summary>
    /// <param name="aspect">The aspect, which decides the format.</param>
    /// <param name="reply">The reply.</param>
    /// <param name="texts">Number of texts shown.</param>
    /// <param name="failure">Why it cannot be read; null where it can.</param>
    /// <returns>The ratings in shown order; null where the reply cannot be read.</returns>
    public static IReadOnlyList<AspectRating>? Parse(Aspect aspect, string reply, int texts, out string? failure)
    {
        ArgumentNullException.ThrowIfNull(reply);
        string[] blocks = reply.ReplaceLineEndings("\n").Trim().Split("\n\n");
        if (blocks.Length != texts)
        {
            failure = $"the reply has {blocks.Length} blocks, not {texts}";
            return null;
        }

        var ratings = new AspectRating[texts];
        for (int i = 0; i < texts; i++)
        {
            if (Block(aspect, blocks[i], out failure) is not { } rating)
            {
                failure = $"block {i + 1}: {failure}";
                return null;
            }

            ratings[i] = rating;
        }

        failure = null;
        return ratings;
    }

    private static AspectRating? Block(Aspect aspect, string block, out string? failure)
    {
        var match = (aspect.HasTypes() ? WithTypes() : Plain()).Match(block);
        if (!match.Success)
        {
            failure = aspect.HasTypes() ? "has no Type, Rationale, Rating and Rationale in this order" : "has no Rating and Rationale in this order";
            return null;
        }

        string said = match.Groups["rating"].Value;
        bool notApplicable = said == NotApplicable && !aspect.HasTypes();
        string rating = notApplicable ? NotApplicable : FirstNumber().Match(said).Value;
        if (rating.Length == 0 || (!notApplicable && (!int.TryParse(rating, out int value) || value is < Lowest or > Highest)))
        {
            failure = rating.Length == 0 ? $"has no number as its rating but '{said}'" : $"has the rating {rating}, which is not from {Lowest} to {Highest}";
            return null;
        }

        failure = null;
        if (!aspect.HasTypes())
        {
            return new AspectRating(rating, match.Groups["rationale"].Value);
        }

        string types = match.Groups["type"].Value;
        return types == NoTypes
            ? new AspectRating(rating, match.Groups["rationale"].Value, null, true, match.Groups["why"].Value)
            : new AspectRating(rating, match.Groups["rationale"].Value, [.. FirstNumber().Matches(types).Select(m => m.Value)], false, match.Groups["why"].Value);
    }

    [GeneratedRegex(@"Rating: (?<rating>.+?)\nRationale: (?<rationale>.+)", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Plain();

    [GeneratedRegex(@"Type: (?<type>.+?)\nRationale: (?<rationale>.+?)\nRating: (?<rating>.+?)\nRationale: (?<why>.+)", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex WithTypes();

    [GeneratedRegex(@"\b[0-9]+\b", RegexOptions.CultureInvariant)]
    private static partial Regex FirstNumber();
}
