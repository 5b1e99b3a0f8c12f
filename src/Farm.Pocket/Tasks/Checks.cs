using Farm.Pocket.Lexicon;

namespace Farm.Pocket.Tasks;

/// <summary>Grades of facts. All are total: any response gets a number in [0, 1].</summary>
internal static class Checks
{
    /// <summary>What a right answer among others is worth.</summary>
    private const double Hedged = 0.4;

    /// <summary>One word is right. Words of the question and words without content may be there too; any other word is a second answer.</summary>
    /// <param name="answer">The right word, in any case.</param>
    /// <param name="question">The text whose words may be repeated.</param>
    public static Func<Response, double> Word(string answer, string question)
    {
        string wanted = answer.ToLowerInvariant();
        HashSet<string>? given = null;
        return response =>
        {
            given ??= new Response(question).Lower.ToHashSet(StringComparer.Ordinal);
            string[] said = [.. response.Lower.Where(w => w == wanted || (!given.Contains(w) && !FunctionWords.All.Contains(w))).Distinct()];
            return !said.Contains(wanted) ? 0 : said.Length == 1 ? 1 : Hedged;
        };
    }

    /// <summary>One of the options, all of which the question names, is right: it must come first, and alone unless the response compares.</summary>
    public static Func<Response, double> Choice(string answer, IReadOnlyList<string> options) => response =>
    {
        string[] said = [.. response.Lower.Where(w => options.Contains(w)).Distinct()];
        bool compares = response.Says("than") || response.Says("not");
        return said.Length == 0 || !said.Contains(answer) ? 0 : said.Length == 1 ? 1 : said[0] != answer ? 0 : compares ? 1 : Hedged;
    };

    /// <summary>A number is right, in digits or words; those of the question may be repeated before it.</summary>
    public static Func<Response, double> Number(int answer, params int[] given) => response =>
    {
        var said = Numbers.In(response.Lower);
        if (given.Contains(answer))
        {
            return said.Count > 0 && said[^1] == answer ? 1 : 0;
        }

        int[] results = [.. said.Except(given)];
        return !results.Contains(answer) ? 0 : results.Length == 1 ? 1 : Hedged;
    };

    /// <summary>Yes or no, as the first word that is either.</summary>
    public static Func<Response, double> YesNo(bool answer) => response =>
    {
        bool yes = response.Says("yes"), no = response.Says("no");
        return yes != no && yes == answer ? 1 : 0;
    };

    /// <summary>
    /// The words in this order and no others but words without content: the square of the share that is in place (longest common subsequence).
    /// </summary>
    public static Func<Response, double> Ordered(IReadOnlyList<string> expected)
    {
        string[] wanted = [.. expected.Select(w => w.ToLowerInvariant())];
        return response => Overlap(wanted, [.. response.Lower.Where(w => wanted.Contains(w) || !FunctionWords.All.Contains(w))]);
    }

    /// <summary>The words as they are written, capitals included.</summary>
    public static Func<Response, double> Written(string text)
    {
        IReadOnlyList<string>? wanted = null;
        return response =>
        {
            wanted ??= new Response(text).Words;
            return Overlap(wanted, [.. response.Words.Where(w => wanted.Contains(w) || !FunctionWords.All.Contains(w.ToLowerInvariant()))]);
        };
    }

    /// <summary>So many different members of a set: their share.</summary>
    public static Func<Response, double> Members(IReadOnlyCollection<string> set, int count) => response =>
        Math.Min(count, response.Lower.Where(set.Contains).Distinct().Count()) / (double)count;

    /// <summary>All of the words are said: the share of them that is.</summary>
    public static Func<Response, double> Mentions(params string[] words) => response => words.Count(response.Says) / (double)words.Length;

    /// <summary>How near a count is to the one asked for: 1 when equal, falling to 0 at none or double.</summary>
    public static double Near(int count, int wanted) => Math.Max(0, 1 - (Math.Abs(count - wanted) / (double)wanted));

    private static double Overlap(IReadOnlyList<string> wanted, IReadOnlyList<string> said)
    {
        if (wanted.Count == 0 || said.Count == 0)
        {
            return 0;
        }

        int[] row = new int[said.Count + 1];
        foreach (string word in wanted)
        {
            int diagonal = 0;
            for (int j = 1; j <= said.Count; j++)
            {
                int above = row[j];
                row[j] = string.Equals(word, said[j - 1], StringComparison.Ordinal) ? diagonal + 1 : Math.Max(above, row[j - 1]);
                diagonal = above;
            }
        }

        double share = row[said.Count] / (double)Math.Max(wanted.Count, said.Count);

        // Squared: half of a list in place is little better than a shuffle.
        return share * share;
    }
}
