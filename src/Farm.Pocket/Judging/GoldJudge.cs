using Farm.Core;
using Farm.Pocket.Kinds;
using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;

namespace Farm.Pocket.Judging;

/// <summary>
/// The laboratory's truth: a program that reads an instruction of the pocket world from its words, works out what is right, and grades any
/// response. It needs no reference output and no seed, and no response makes it throw.
/// </summary>
public static class GoldJudge
{
    /// <summary>Names of all kinds of instruction, in a fixed order.</summary>
    public static IReadOnlyList<string> Kinds { get; } = [.. TaskKinds.All.Select(k => k.Name)];

    /// <summary>The kind of a row, null if it is no instruction of the pocket world.</summary>
    public static string? KindOf(PocketRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        return TaskKinds.Find(row)?.Kind.Name;
    }

    /// <summary>Grades a response to the row, whose own output plays no part.</summary>
    /// <exception cref="BadInputException">The row is no instruction of the pocket world.</exception>
    public static GoldScore Score(PocketRow row, string? response)
    {
        ArgumentNullException.ThrowIfNull(row);
        var (_, task) = TaskKinds.Find(row) ?? throw NotPocket(row);
        return Score(row, task, response);
    }

    /// <summary>The error for a row that is none of the pocket world's.</summary>
    internal static BadInputException NotPocket(PocketRow row)
    {
        string text = row.Instruction.Length > 60 ? row.Instruction[..60] + "..." : row.Instruction;
        return new BadInputException($"The instruction '{text}' with the input it has is none of the pocket world.");
    }

    /// <summary>Grades a response to a task of the row.</summary>
    internal static GoldScore Score(PocketRow row, PocketTask task, string? text)
    {
        var response = new Response(text);
        if (response.Words.Count == 0)
        {
            return GoldScore.Nothing;
        }

        // A fixed sequence of draws: the same row has the same sample of right answers each time.
        var draws = new Draws(0, row.Key);
        Response[] answers = [.. Enumerable.Range(0, 32).Select(_ => new Response(task.Answer(draws)))];
        double correctness = Math.Clamp(task.Correctness(response), 0, 1);
        return new GoldScore(
            correctness,
            Math.Clamp(task.Constraint?.Invoke(response) ?? 1, 0, 1),
            Relevance(row, task, answers, response),
            Form.Grade(response, task.Bare),
            Brevity(answers, response));
    }

    private static double Relevance(PocketRow row, PocketTask task, Response[] answers, Response response)
    {
        var near = new Response($"{row.Instruction} {row.Input}").Lower.Concat(answers.SelectMany(a => a.Lower)).ToHashSet(StringComparer.Ordinal);
        int belonging = response.Lower.Count(w => near.Contains(w) || FunctionWords.All.Contains(w) || task.Topic?.Invoke(w) == true);
        return belonging / (double)response.Lower.Count;
    }

    private static double Brevity(Response[] answers, Response response)
    {
        int words = answers.Max(a => a.Words.Count), characters = answers.Max(a => a.Length);
        double byWords = Math.Max(words + 3, 1.5 * words) / response.Words.Count;
        double byCharacters = Math.Max(characters + 20, 1.5 * characters) / response.Length;
        return Math.Min(1, Math.Min(byWords, byCharacters));
    }
}
