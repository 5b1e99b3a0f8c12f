using Farm.Annotation.Python;

namespace Farm.Annotation.Parsing;

/// <summary>Reads a Python literal: a list is the values, anything else the one value.</summary>
internal sealed class EvalParser : ICompletionParser
{
    public IReadOnlyList<object?> Parse(object? completion)
    {
        try
        {
            object? value = PythonLiteral.Parse(Texts.Of(completion));
            return value is List<object?> list ? list : [value];
        }
        catch (FormatException e)
        {
            throw new UnparsedReplyException(FailureReason.NotALiteral, $"the reply is no Python literal: {e.Message}");
        }
    }
}
