using System.Globalization;
using System.Text.Json.Nodes;
using Farm.Core;

namespace Farm.Annotation.UltraFeedback;

/// <summary>An instruction with its completions, as a row of UltraFeedback's files. Fields that Farm does not know are kept.</summary>
/// <param name="place">Where the row is from, for messages.</param>
/// <param name="node">The row.</param>
public sealed class UltraFeedbackRecord(string place, JsonObject node)
{
    private IReadOnlyList<UltraFeedbackCompletion>? _completions;

    /// <summary>Where the row is from.</summary>
    public string Place { get; } = place;

    /// <summary>The row.</summary>
    public JsonObject Node { get; } = node;

    /// <summary>The data set that the instruction is from, e.g. <c>truthful_qa</c>; empty where the row does not say.</summary>
    public string Source => JsonText.Optional(Place, Node, "source") ?? "";

    /// <summary>The instruction.</summary>
    public string Instruction => JsonText.Required(Place, Node, "instruction");

    /// <summary>Correct answers, where the source has them.</summary>
    public IReadOnlyList<string> CorrectAnswers => Texts("correct_answers");

    /// <summary>Incorrect answers, where the source has them.</summary>
    public IReadOnlyList<string> IncorrectAnswers => Texts("incorrect_answers");

    /// <summary>The completions.</summary>
    /// <exception cref="BadInputException">There are none.</exception>
    public IReadOnlyList<UltraFeedbackCompletion> Completions => _completions ??= Node["completions"] is JsonArray { Count: > 0 } list
        ? [.. list.Select((c, i) => new UltraFeedbackCompletion($"{Place}, completion {i + 1}", c as JsonObject ?? throw new BadInputException($"{Place}, completion {i + 1}: must be an object.")))]
        : throw new BadInputException($"{Place}: the field 'completions' must be a list of objects.");

    private string[] Texts(string field) => Node[field] switch
    {
        null => [],
        JsonArray list => [.. list.Select(t => t is JsonValue v && v.TryGetValue(out string? text) ? text! : throw new BadInputException($"{Place}, field '{field}': must be a list of strings."))],
        JsonValue value when value.TryGetValue(out string? text) => [text!],
        _ => throw new BadInputException($"{Place}, field '{field}': must be a list of strings."),
    };
}

/// <summary>One completion with its annotations.</summary>
/// <param name="place">Where it is from, for messages.</param>
/// <param name="node">The object.</param>
public sealed class UltraFeedbackCompletion(string place, JsonObject node)
{
    private const string FineGrained = "fine-grained_score", Overall = "overall_score";

    /// <summary>Where it is from.</summary>
    public string Place { get; } = place;

    /// <summary>The object.</summary>
    public JsonObject Node { get; } = node;

    /// <summary>Who wrote it.</summary>
    public string? Model => JsonText.Optional(Place, Node, "model");

    /// <summary>The principle that the model was told to follow.</summary>
    public string? Principle => JsonText.Optional(Place, Node, "principle");

    /// <summary>How the principle was put to the model.</summary>
    public string? CustomSystemPrompt => JsonText.Optional(Place, Node, "custom_system_prompt");

    /// <summary>The text.</summary>
    public string Response => JsonText.Required(Place, Node, "response");

    /// <summary>The critique, null where there is none yet.</summary>
    public string? Critique
    {
        get => JsonText.Optional(Place, Node, "critique");
        set => Node["critique"] = value;
    }

    /// <summary>The overall score, 1 to 10; null where there is none. Files have it as a number or as text.</summary>
    /// <exception cref="BadInputException">It is neither.</exception>
    public double? OverallScore
    {
        get => Node[Overall] switch
        {
            null => null,
            JsonValue v when v.GetValueKind() == System.Text.Json.JsonValueKind.Number => v.GetValue<double>(),
            JsonValue v when v.TryGetValue(out string? text) && CritiqueReply.ParseScore(text!) is { } score => score,
            _ => throw new BadInputException($"{Place}, field '{Overall}': must be a number from 1 to 10."),
        };
        set => Node[Overall] = value;
    }

    /// <summary>The mean of the ratings as the file has it; null where it has none.</summary>
    public double? FineGrainedScore
    {
        get => Node[FineGrained] is JsonValue v && v.GetValueKind() == System.Text.Json.JsonValueKind.Number ? v.GetValue<double>() : null;
        set => Node[FineGrained] = value;
    }

    /// <summary>
    /// The ratings on an aspect as texts, one per round of shuffling; a single record is one round. Empty where the aspect was not rated, or all rounds failed.
    /// </summary>
    public IReadOnlyList<string> Ratings(Aspect aspect) => (Node["annotations"] as JsonObject)?[aspect.Name()] switch
    {
        JsonObject single => [Rating(single, aspect)],
        JsonArray list => [.. list.Select(r => Rating(r as JsonObject ?? throw Bad(aspect), aspect))],
        null => [],
        _ => throw Bad(aspect),
    };

    /// <summary>The mean of the ratings on an aspect, <c>N/A</c> left out; null where none is left.</summary>
    public double? MeanRating(Aspect aspect)
    {
        double[] numbers = [.. Ratings(aspect).Where(r => r != "N/A").Select(r =>
            double.TryParse(r, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : throw Bad(aspect))];
        return numbers.Length == 0 ? null : numbers.Average();
    }

    /// <summary>The mean over the aspects that have a rating; null where none has.</summary>
    public double? MeanOfAspects()
    {
        double[] means = [.. Aspects.All.Select(MeanRating).OfType<double>()];
        return means.Length == 0 ? null : means.Average();
    }

    /// <summary>Sets the records of an aspect, one per round of shuffling.</summary>
    public void SetRatings(Aspect aspect, IReadOnlyList<AspectRating> rounds)
    {
        ArgumentNullException.ThrowIfNull(rounds);
        if (Node["annotations"] is not JsonObject annotations)
        {
            Node["annotations"] = annotations = [];
        }

        annotations[aspect.Name()] = new JsonArray([.. rounds.Select(r => r.ToJson())]);
    }

    private string Rating(JsonObject record, Aspect aspect) => record["Rating"] is JsonValue v ? v.ToString() : throw Bad(aspect);

    private BadInputException Bad(Aspect aspect) => new($"{Place}, field 'annotations.{aspect.Name()}': must be a record with 'Rating', a number or N/A, or a list of such records.");
}
