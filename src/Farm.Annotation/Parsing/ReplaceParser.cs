namespace Farm.Annotation.Parsing;

/// <summary>Replaces a whole value by another; what is not listed stays (<c>auto</c>) or becomes the default.</summary>
internal sealed class ReplaceParser(OrderedDictionary<object, object?> replacer, object? defaultReplacer) : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion)
    {
        if (completion is string { Length: 0 } or null)
        {
            throw new UnparsedReplyException(FailureReason.EmptyReply, "the reply is empty");
        }

        return [replacer.TryGetValue(completion, out object? value) ? value : defaultReplacer is "auto" ? completion : defaultReplacer];
    }
}
