using Farm.Annotation.Python;

namespace Farm.Annotation.Parsing;

/// <summary>
/// Reads the log probabilities of the tokens that stand for the two outputs: 2 minus the share of the first one's token, or 1 and 2 where the
/// answer is to be binary.
/// </summary>
/// <param name="numeratorToken">The token that stands for the output shown first.</param>
/// <param name="denominatorTokens">All tokens that count.</param>
/// <param name="isBinarize">Whether the answer is 1 or 2 alone.</param>
/// <param name="index">The position in the reply, from its end if negative; null for a value at each position.</param>
internal sealed class LogprobParser(string numeratorToken, IReadOnlyList<string> denominatorTokens, bool isBinarize, int? index) : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion)
    {
        if (completion is string or null)
        {
            throw new UnparsedReplyException(
                completion is string { Length: > 0 } ? FailureReason.NoLogprobs : FailureReason.EmptyReply,
                completion is string { Length: > 0 } ? "the reply is a text without log probabilities (completion_key must be completions_all)" : "the reply is empty");
        }

        if (Field(Field(completion, "logprobs"), "content") is not List<object?> content)
        {
            throw new UnparsedReplyException(FailureReason.NoLogprobs, "the reply has no log probabilities");
        }

        if (index is not { } at)
        {
            return [.. content.Select(Value)];
        }

        int place = at < 0 ? content.Count + at : at;
        return place >= 0 && place < content.Count
            ? [Value(content[place])]
            : throw new UnparsedReplyException(FailureReason.NoLogprobs, $"the reply has {content.Count} tokens and none at {at}");
    }

    private object Value(object? position)
    {
        if (Field(position, "top_logprobs") is not List<object?> top)
        {
            throw new UnparsedReplyException(FailureReason.NoLogprobs, "the reply has no log probabilities");
        }

        var logprobs = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (object? entry in top)
        {
            if (Field(entry, "token") is string token && PythonValue.Number(Field(entry, "logprob")) is { } logprob && (token == numeratorToken || denominatorTokens.Contains(token)))
            {
                logprobs[token] = logprob;
            }
        }

        if (logprobs.Count == 0)
        {
            return new JudgeFailure(FailureReason.NoTokenProbability, $"none of the tokens {string.Join(", ", denominatorTokens)} is among the most likely");
        }

        double numerator = Of(numeratorToken);
        if (isBinarize)
        {
            return denominatorTokens.All(t => t == numeratorToken || numerator > Of(t)) ? 1.0 : 2.0;
        }

        double most = denominatorTokens.Max(Of);
        if (double.IsNegativeInfinity(most))
        {
            return new JudgeFailure(FailureReason.NoTokenProbability, $"none of the tokens {string.Join(", ", denominatorTokens)} is among the most likely");
        }

        double denominator = most + Math.Log(denominatorTokens.Sum(t => Math.Exp(Of(t) - most)));
        return 2 - Math.Exp(numerator - denominator);

        double Of(string token) => logprobs.GetValueOrDefault(token, double.NegativeInfinity);
    }

    private static object? Field(object? value, string name) => value is OrderedDictionary<object, object?> map ? map.GetValueOrDefault(name) : null;
}
