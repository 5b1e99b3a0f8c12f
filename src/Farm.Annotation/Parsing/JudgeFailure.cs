namespace Farm.Annotation.Parsing;

/// <summary>Why a pair has no preference. The names, in snake case, are what files say.</summary>
public enum FailureReason
{
    /// <summary>The reply is empty.</summary>
    EmptyReply,

    /// <summary>No pattern matches the reply.</summary>
    NoMatch,

    /// <summary>The reply has another number of values than the prompt has examples.</summary>
    WrongCount,

    /// <summary>The reply is no Python literal.</summary>
    NotALiteral,

    /// <summary>The reply is not JSON.</summary>
    NotJson,

    /// <summary>The reply lacks a key.</summary>
    MissingKey,

    /// <summary>The ranking does not name the model.</summary>
    ModelNotRanked,

    /// <summary>The rank is neither 1 nor 2.</summary>
    BadRank,

    /// <summary>The first line is not two scores.</summary>
    NotTwoScores,

    /// <summary>The reply has no log probabilities.</summary>
    NoLogprobs,

    /// <summary>None of the tokens that count is among the most likely.</summary>
    NoTokenProbability,

    /// <summary>The value is no number.</summary>
    NotANumber,

    /// <summary>The value is not from 1 to 2.</summary>
    OutOfRange,

    /// <summary>The server says that it will not answer this prompt.</summary>
    Refused,

    /// <summary>The server says that the request is wrong.</summary>
    BadRequest,

    /// <summary>The server kept saying that there are too many requests.</summary>
    RateLimited,

    /// <summary>No answer came in time, however often it was asked.</summary>
    Timeout,

    /// <summary>The server kept failing, or its answers could not be read.</summary>
    ServerError,

    /// <summary>The server could not be reached.</summary>
    Unreachable,

    /// <summary>An imported file says that there is no preference, and not why.</summary>
    Imported,

    /// <summary>The judge itself failed.</summary>
    JudgeError,
}

/// <summary>A typed failure.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Detail">One clause for a person.</param>
public sealed record JudgeFailure(FailureReason Reason, string Detail)
{
    /// <summary>The reason as files say it, e.g. <c>not_json</c>.</summary>
    public string Code => string.Concat(Reason.ToString().Select((c, i) => char.IsUpper(c) ? (i == 0 ? string.Empty : "_") + char.ToLowerInvariant(c) : c.ToString()));

    /// <summary>True where there was a reply and it says no preference; false where there was none.</summary>
    public bool HasReply => Reason < FailureReason.Refused;

    /// <summary>Reads a code.</summary>
    public static FailureReason ReasonOf(string code) =>
        Enum.GetValues<FailureReason>().Cast<FailureReason?>().FirstOrDefault(r => new JudgeFailure(r!.Value, string.Empty).Code == code) ?? FailureReason.JudgeError;
}

/// <summary>A reply does not say what it should.</summary>
internal sealed class UnparsedReplyException(FailureReason reason, string detail) : Exception(detail)
{
    public JudgeFailure Failure { get; } = new(reason, detail);
}
