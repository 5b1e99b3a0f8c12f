using System.Text;
using Farm.Core;

namespace Farm.Models.Prompts;

/// <summary>A template in Python's brace syntax, with the fields <c>{instruction}</c> and <c>{input}</c>; <c>{{</c> and <c>}}</c> are braces.</summary>
internal sealed class PromptTemplate
{
    private readonly List<(string Literal, char Field)> _parts = [];

    /// <summary>Parses a template; <paramref name="where"/> names file and field in errors.</summary>
    public PromptTemplate(string template, string where)
    {
        var literal = new StringBuilder();
        for (var at = 0; at < template.Length; at++)
        {
            var c = template[at];
            if (c is '{' or '}' && at + 1 < template.Length && template[at + 1] == c)
            {
                literal.Append(c);
                at++;
            }
            else if (c == '{')
            {
                var end = template.IndexOf('}', at);
                var name = end < 0 ? throw new BadInputException($"{where} has a single '{{' at character {at + 1}.") : template[(at + 1)..end];
                var field = name switch
                {
                    "instruction" => 'i',
                    "input" => 'n',
                    _ => throw new BadInputException($"{where} has the unknown field '{{{name}}}' at character {at + 1}; write '{{{{' for a brace."),
                };
                _parts.Add((literal.ToString(), field));
                literal.Clear();
                at = end;
            }
            else if (c == '}')
            {
                throw new BadInputException($"{where} has a single '}}' at character {at + 1}.");
            }
            else
            {
                literal.Append(c);
            }
        }

        _parts.Add((literal.ToString(), '\0'));
    }

    /// <summary>Fills the fields in one pass: braces in the values are plain text.</summary>
    public string Format(string instruction, string input)
    {
        var text = new StringBuilder();
        foreach (var (literal, field) in _parts)
        {
            text.Append(literal).Append(field switch { 'i' => instruction, 'n' => input, _ => string.Empty });
        }

        return text.ToString();
    }
}
