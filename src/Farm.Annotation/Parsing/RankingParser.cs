using Farm.Annotation.Python;

namespace Farm.Annotation.Parsing;

/// <summary>Reads a Python list of maps with <c>model</c> and <c>rank</c>; the rank of the first shown model is the preference.</summary>
internal sealed class RankingParser(string model1Name) : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion) => [Rank(completion)];

    private object Rank(object? completion)
    {
        if (completion is string text)
        {
            if (text.Length == 0)
            {
                throw new UnparsedReplyException(FailureReason.EmptyReply, "the reply is empty");
            }

            try
            {
                completion = PythonLiteral.Parse(text);
            }
            catch (FormatException e)
            {
                return new JudgeFailure(FailureReason.NotALiteral, $"the reply is no Python list: {e.Message}");
            }
        }

        if (completion is not List<object?> models)
        {
            return new JudgeFailure(FailureReason.NotALiteral, "the ranking is no list");
        }

        foreach (object? entry in models)
        {
            if (entry is not OrderedDictionary<object, object?> model || !model.TryGetValue("model", out object? name))
            {
                return new JudgeFailure(FailureReason.MissingKey, "an entry of the ranking has no 'model'");
            }

            if (name is string found && found == model1Name)
            {
                return !model.TryGetValue("rank", out object? rank)
                    ? new JudgeFailure(FailureReason.MissingKey, "an entry of the ranking has no 'rank'")
                    : PythonValue.Number(rank) switch
                    {
                        1 => 1.0,
                        2 => 2.0,
                        _ => new JudgeFailure(FailureReason.BadRank, $"the rank of '{model1Name}' is neither 1 nor 2"),
                    };
            }
        }

        return new JudgeFailure(FailureReason.ModelNotRanked, $"the ranking does not name '{model1Name}'");
    }
}
