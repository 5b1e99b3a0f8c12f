using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Annotation.Parsing;

namespace Farm.Annotation.Judging;

/// <summary>
/// One judge of pairs. It is asked in three steps, so that a request is kept before it is sent and a reply before it is read:
/// <see cref="Prepare"/>, <see cref="AskAsync"/>, <see cref="Read"/>.
/// </summary>
public interface IPairwiseJudge
{
    /// <summary>The name, as it goes into the field <c>annotator</c>.</summary>
    string Name { get; }

    /// <summary>A hash of everything that decides what is asked; kept replies are used again only under the same one.</summary>
    string Identity { get; }

    /// <summary>Pairs in a request.</summary>
    int BatchSize => 1;

    /// <summary>Requests that the client may send as one.</summary>
    int PromptsPerRequest => 1;

    /// <summary>What the last batch is filled up with; null where the rows must come out even.</summary>
    ShownPair? Padding => ShownPair.Padding;

    /// <summary>Are batches made of shuffled rows?</summary>
    bool IsShuffle => true;

    /// <summary>Is the order of the two outputs drawn?</summary>
    bool IsRandomizeOutputOrder => true;

    /// <summary>The columns that decide the order.</summary>
    IReadOnlyList<string> RandomSeedColumns => ["instruction"];

    /// <summary>Makes the request for as many pairs as <see cref="BatchSize"/> says. It sends nothing.</summary>
    JudgeRequest Prepare(IReadOnlyList<ShownPair> pairs);

    /// <summary>Asks. A failure that concerns this request alone is in the reply.</summary>
    Task<JudgeReply> AskAsync(JudgeRequest request, CancellationToken cancellationToken);

    /// <summary>Reads a reply: one verdict for each pair. It never throws.</summary>
    IReadOnlyList<Verdict> Read(JsonElement raw, int pairs);

    /// <summary>Further columns of a row that the reply decides.</summary>
    /// <param name="raw">The reply.</param>
    /// <param name="preference">The preference in the file's order, null where there is none.</param>
    IReadOnlyList<KeyValuePair<string, JsonElement>> Columns(JsonElement raw, double? preference) => [];

    /// <summary>The text for the column <c>version</c>, null where it is not wanted.</summary>
    string? Version => VersionText.Own;

    /// <summary>What the names of columns begin with.</summary>
    string ColumnPrefix => "preference_";
}

/// <summary>A pair as a judge sees it, i.e. perhaps in the other order.</summary>
/// <param name="Instruction">What was asked, with its input where the judge has no slot for that.</param>
/// <param name="Output1">The output shown first.</param>
/// <param name="Output2">The output shown second.</param>
/// <param name="Row">The row; null for the dummy that fills up a batch.</param>
public sealed record ShownPair(string Instruction, string Output1, string Output2, PairRow? Row)
{
    /// <summary>alpaca_eval's dummy.</summary>
    public static ShownPair Padding { get; } = new("1+1=", "2", "3", null);
}

/// <summary>A request, ready to be sent.</summary>
/// <param name="Pairs">The pairs in the order of the prompt.</param>
/// <param name="Body">What is sent, as JSON; kept in the journal.</param>
/// <param name="Payload">What the judge itself needs to send it.</param>
public sealed record JudgeRequest(IReadOnlyList<ShownPair> Pairs, string Body, object? Payload = null);

/// <summary>What came of a request.</summary>
public sealed record JudgeReply
{
    /// <summary>The reply as files keep it: a text, or an object. Null where there is a failure.</summary>
    public JsonElement? Raw { get; init; }

    /// <summary>Why there is no reply.</summary>
    public JudgeFailure? Failure { get; init; }

    /// <summary>Tokens of prompt and reply.</summary>
    public double? TotalTokens { get; init; }

    /// <summary>US dollars, null where not known.</summary>
    public double? Price { get; init; }

    /// <summary>Attempts it took.</summary>
    public int Attempts { get; init; } = 1;
}

/// <summary>What a reply says of one pair, in the order that was shown.</summary>
/// <param name="Preference">1 to 2, or null.</param>
/// <param name="Failure">Why there is none.</param>
public sealed record Verdict(double? Preference, JudgeFailure? Failure = null);

/// <summary>The column <c>version</c>.</summary>
internal static class VersionText
{
    public static readonly string Own = $"farm=={typeof(VersionText).Assembly.GetName().Version?.ToString(3)}";
}
