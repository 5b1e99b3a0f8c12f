namespace Farm.Annotation.Parsing;

/// <summary>Parsers in a row: each is applied to every value of the one before; a list of one becomes its element below the first level.</summary>
internal sealed class PipelineParser(IReadOnlyList<ICompletionParser> steps, bool isSqueeze) : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion) => Apply(completion, 0);

    private IReadOnlyList<object?> Apply(object? completion, int step)
    {
        if (completion is string { Length: 0 })
        {
            throw new UnparsedReplyException(FailureReason.EmptyReply, "the reply is empty");
        }

        if (step == steps.Count)
        {
            return [completion];
        }

        var values = steps[step].Parse(completion);
        if (step == steps.Count - 1)
        {
            return values;
        }

        var results = new List<object?>(values.Count);
        foreach (object? value in values)
        {
            var inner = Apply(value, step + 1);
            results.Add(isSqueeze && inner.Count == 1 ? inner[0] : inner.ToList());
        }

        return results;
    }
}
