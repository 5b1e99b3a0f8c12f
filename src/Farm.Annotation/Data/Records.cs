using System.Text.Json;

namespace Farm.Annotation.Data;

/// <summary>Something to be answered.</summary>
/// <param name="Id">Identifies it in its file: the <c>id</c> field, or the row's number.</param>
/// <param name="Instruction">What is asked.</param>
/// <param name="Input">What it is asked of; null where there is none.</param>
/// <param name="Extras">All other fields, in the file's order.</param>
public sealed record InstructionItem(string Id, string Instruction, string? Input, JsonRow Extras)
{
    /// <summary>The input as the file spells it, e.g. <c>nan</c> where Sparse Feedback means none.</summary>
    public string? InputText { get; init; } = Input;
}

/// <summary>One answer to an instruction.</summary>
/// <param name="Id">Identifies it in its file.</param>
/// <param name="InstructionId">The instruction it answers.</param>
/// <param name="Generator">Who wrote it.</param>
/// <param name="Text">The answer.</param>
/// <param name="Extras">All other fields.</param>
public sealed record ResponseItem(string Id, string InstructionId, string? Generator, string Text, JsonRow Extras)
{
    /// <summary>The place among the samples of one prompt.</summary>
    public int? SampleIndex { get; init; }
}

/// <summary>Who judged.</summary>
/// <param name="Name">The entry of the pool, as in the field <c>annotator</c>.</param>
/// <param name="Pool">The pool: the folder of the configuration.</param>
/// <param name="ConfigHash">A hash of prompt, model and parser; null for judgments of other tools.</param>
/// <param name="Seed">The pool's seed.</param>
public sealed record AnnotatorRef(string Name, string? Pool = null, string? ConfigHash = null, int? Seed = null);

/// <summary>Where a preference came from.</summary>
public enum PreferenceOrigin
{
    /// <summary>The judge's reply.</summary>
    Model,

    /// <summary>The two outputs are the same text.</summary>
    IdenticalOutputs,

    /// <summary>Label noise that was asked for.</summary>
    Noise,

    /// <summary>A person.</summary>
    Human,

    /// <summary>Two ratings compared.</summary>
    DerivedFromRatings,

    /// <summary>Two requests with the outputs in both orders.</summary>
    SwapTest,

    /// <summary>A file of another tool.</summary>
    Imported,
}

/// <summary>How a request ended.</summary>
public enum JudgmentStatus
{
    /// <summary>There is a value.</summary>
    Ok,

    /// <summary>There is a reply that does not say a value.</summary>
    Unparsed,

    /// <summary>There is no reply.</summary>
    ApiFailure,

    /// <summary>Nobody asked yet.</summary>
    Pending,
}

/// <summary>
/// One judgment of a pair, whichever tool it is from. AlpacaEval's 1, 2 and what lies between, Sparse Feedback's <c>(a)</c>, <c>(b)</c> and
/// <c>equal</c>, and comparisons of ratings all become <see cref="Preference"/>.
/// </summary>
/// <param name="Instruction">What was asked, with AlpacaFarm's input merged in where its tool does that.</param>
/// <param name="Output1">The first output in the file's order: the reference.</param>
/// <param name="Output2">The second: the model under test.</param>
/// <param name="Annotator">Who judged.</param>
/// <param name="Preference">1 for the first, 2 for the second, 1.5 for a draw, between them 1 + P(second); null where there is none.</param>
public sealed record PairJudgment(string Instruction, string Output1, string Output2, AnnotatorRef Annotator, double? Preference)
{
    /// <summary>The input, in files that have one.</summary>
    public string? Input { get; init; }

    /// <summary>The preference as the file spells it: <c>2</c> or <c>2.0</c>, <c>(b)</c>, <c>equal</c>.</summary>
    public string? PreferenceText { get; init; }

    /// <summary>Where the preference came from.</summary>
    public PreferenceOrigin Origin { get; init; } = PreferenceOrigin.Imported;

    /// <summary>How the request ended.</summary>
    public JudgmentStatus Status { get; init; } = JudgmentStatus.Ok;

    /// <summary>True where a cache file says -1: asked before, without a value.</summary>
    public bool StoredMissing { get; init; }

    /// <summary>True where the file says 0, AlpacaEval's draw of old.</summary>
    public bool LegacyZero { get; init; }

    /// <summary>The reply: a text, or the object with log probabilities or tool calls.</summary>
    public JsonElement? RawCompletion { get; init; }

    /// <summary>US dollars.</summary>
    public double? Price { get; init; }

    /// <summary>Seconds.</summary>
    public double? Seconds { get; init; }

    /// <summary>True where the file has AlpacaEval's columns with the prefix <c>preference_</c> (since 2024-08).</summary>
    public bool PrefixedColumns { get; init; } = true;

    /// <summary>The whole row it was read from; a row that nobody changed is written as it was.</summary>
    public JsonRow Extras { get; init; } = new();
}

/// <summary>One rating of one response on one aspect: UltraFeedback's four aspects, its overall score, or Sparse Feedback's 1 to 7.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Annotator">Who rated.</param>
/// <param name="Aspect"><c>instruction_following</c>, <c>honesty</c>, <c>truthfulness</c>, <c>helpfulness</c> or <c>overall</c>.</param>
/// <param name="ScaleMin">The least value.</param>
/// <param name="ScaleMax">The greatest value.</param>
/// <param name="ValueText">The value as the file spells it, e.g. <c>5</c> or <c>N/A</c>.</param>
/// <param name="Value">The value; null for <c>N/A</c> and where there is none.</param>
public sealed record PointRating(
    string ResponseId, AnnotatorRef Annotator, string Aspect, int ScaleMin, int ScaleMax, string? ValueText, double? Value)
{
    /// <summary>UltraFeedback's types of fault; null where the file says <c>None</c> or has no such field.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>The types as the file spells them where they are no list, i.e. <c>None</c>.</summary>
    public string? TypesText { get; init; }

    /// <summary>Why, of the types where there are types, else of the rating.</summary>
    public string? Rationale { get; init; }

    /// <summary>Why this rating, in aspects that have types.</summary>
    public string? RatingRationale { get; init; }

    /// <summary>The place at which the judge saw the response, from 0.</summary>
    public int? ShownPosition { get; init; }

    /// <summary>The round of shuffling where the file has a list of records; null where it has a single one.</summary>
    public int? RoundIndex { get; init; }

    /// <summary>How the request ended.</summary>
    public JudgmentStatus Status { get; init; } = JudgmentStatus.Ok;

    /// <summary>Why there is no value.</summary>
    public string? Failure { get; init; }

    /// <summary>Other fields of the record.</summary>
    public JsonRow Extras { get; init; } = new();
}

/// <summary>A judge's written critique of one response with its overall score.</summary>
/// <param name="ResponseId">The response.</param>
/// <param name="Annotator">Who wrote it.</param>
/// <param name="Text">The critique.</param>
/// <param name="OverallScoreText">The score as the file spells it.</param>
/// <param name="OverallScore">The score, 1 to 10.</param>
/// <param name="FineGrainedScore">The mean of the aspects' ratings.</param>
public sealed record Critique(
    string ResponseId, AnnotatorRef Annotator, string Text, string? OverallScoreText, double? OverallScore, double? FineGrainedScore);

/// <summary>A pair for training a reward model: the preferred text and the other one.</summary>
/// <param name="Prompt">What both answer.</param>
/// <param name="Preferred">The better one.</param>
/// <param name="Other">The other one.</param>
public sealed record RewardPair(string Prompt, string Preferred, string Other);

/// <summary>A rated text for training a reward model.</summary>
/// <param name="Prompt">What it answers.</param>
/// <param name="Output">The text.</param>
/// <param name="Target">The rating on a scale of 0 to 1.</param>
public sealed record RewardRating(string Prompt, string Output, double Target);
