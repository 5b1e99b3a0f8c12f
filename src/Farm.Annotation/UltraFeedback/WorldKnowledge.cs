using System.Text;

namespace Farm.Annotation.UltraFeedback;

/// <summary>What the judge is told of the right answer.</summary>
/// <param name="HasAnswer">True for sources that come with one; those use the templates with an answer.</param>
/// <param name="Text">The text of the slot.</param>
public sealed record WorldKnowledge(bool HasAnswer, string Text)
{
    private const string FalsePremise = "The question rests on something that is not so; a good answer says that.";
    private const string Nothing = "Nothing beyond what is generally known.";

    /// <summary>The knowledge that goes with a record's source.</summary>
    public static WorldKnowledge Of(UltraFeedbackRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return record.Source switch
        {
            "truthful_qa" => new(true, $"Correct answers: {List(record.CorrectAnswers)}\nIncorrect answers: {List(record.IncorrectAnswers)}"),
            "false_qa" => new(true, FalsePremise),
            var source when source.StartsWith("flan", StringComparison.Ordinal) => new(true, string.Join("\n", record.CorrectAnswers)),
            _ => new(false, Nothing),
        };
    }

    /// <summary>A list of texts as Python prints it.</summary>
    private static string List(IReadOnlyList<string> texts) => $"[{string.Join(", ", texts.Select(Quote))}]";

    private static string Quote(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var quoted = new StringBuilder().Append(quote);
        foreach (char c in text)
        {
            _ = c switch
            {
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                _ when c == quote => quoted.Append('\\').Append(c),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append(quote).ToString();
    }
}
