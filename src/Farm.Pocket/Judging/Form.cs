using Farm.Pocket.Tasks;

namespace Farm.Pocket.Judging;

/// <summary>The grade of well-formedness: each fault keeps seven tenths of the grade.</summary>
internal static class Form
{
    private const double Fault = 0.7;

    /// <summary>Grades a response with at least one word.</summary>
    /// <param name="response">The response.</param>
    /// <param name="bare">True where no sentence is asked for.</param>
    public static double Grade(Response response, bool bare)
    {
        string text = response.Text;
        double grade = 1;
        Deduct(ref grade, text.Contains("  ", StringComparison.Ordinal) || text.Contains('\n'));
        Deduct(ref grade, text.Count(c => c == '"') % 2 != 0 || text[0] is '.' or ',' or '!' or '?' or ';' or ':');
        Deduct(ref grade, text[^1] is ',' or ';' or ':' or '-');
        grade *= IsBroken(text) ? 0.3 : 1;
        if (!bare)
        {
            Deduct(ref grade, char.IsLower(text[0]));
            Deduct(ref grade, text[^1] is not ('.' or '!' or '?'));
            Deduct(ref grade, response.Lower.Zip(response.Lower.Skip(1)).Any(p => p.First == p.Second));
        }

        return grade;
    }

    // Control characters, lone surrogates and the replacement character.
    private static bool IsBroken(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogatePair(text, i))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]) || text[i] == '\uFFFD' || (char.IsControl(text[i]) && text[i] != '\n'))
            {
                return true;
            }
        }

        return false;
    }

    private static void Deduct(ref double grade, bool fault) => grade *= fault ? Fault : 1;
}
