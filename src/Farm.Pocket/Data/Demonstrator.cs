using Farm.Pocket.Judging;
using Farm.Pocket.Kinds;
using Farm.Pocket.Tasks;

namespace Farm.Pocket.Data;

/// <summary>Writes demonstrations of mixed quality.</summary>
internal static class Demonstrator
{
    private static readonly string[] s_before = ["Sure, I think the answer is this:", "Well, that is a very good question.", "I am glad that you asked me this."];

    private static readonly string[] s_after = ["I hope that this helps you very much.", "I am very sure that it is the right answer.", "That is my answer, and I hope it helps."];

    /// <summary>A demonstration for a row of the pocket world.</summary>
    public static string Write(PocketRow row, DemonstrationMix mix, Draws draws)
    {
        var (kind, _) = TaskKinds.Find(row) ?? throw GoldJudge.NotPocket(row);
        return Write(row, kind, mix, draws);
    }

    /// <summary>The same where the row's kind is known.</summary>
    public static string Write(PocketRow row, TaskKind kind, DemonstrationMix mix, Draws draws)
    {
        var task = kind.Read(row) ?? throw GoldJudge.NotPocket(row);
        string right = task.Answer(draws);
        double at = draws.Uniform();
        return (at -= mix.Wrong) < 0 ? Wrong(row, kind, task, draws)
            : (at -= mix.Verbose) < 0 ? Verbose(right, draws)
            : (at -= mix.Sloppy) < 0 ? Sloppy(right, task.Bare, draws)
            : (at -= mix.OffConstraint) < 0 ? OffConstraint(right, draws)
            : (at -= mix.OffTopic) < 0 ? OffTopic(row, task, draws)
            : right;
    }

    private static string Wrong(PocketRow row, TaskKind kind, PocketTask task, Draws draws) => Miss(row, task, draws, () => kind);

    private static string OffTopic(PocketRow row, PocketTask task, Draws draws) => Miss(row, task, draws, () => draws.Pick(TaskKinds.All));

    /// <summary>The answer to another row, which happens to be right for this one only if twenty are.</summary>
    private static string Miss(PocketRow row, PocketTask task, Draws draws, Func<TaskKind> kind)
    {
        string answer = string.Empty;
        for (int attempt = 0; attempt < 20; attempt++)
        {
            var other = kind();

            // A draw can be degenerate, e.g. a list of one; the kind then does not read it back.
            if (other.Read(other.Write(draws)) is not { } question)
            {
                continue;
            }

            answer = question.Answer(draws);
            if (GoldJudge.Score(row, task, answer).Correctness < 0.5)
            {
                break;
            }
        }

        return answer;
    }

    private static string Verbose(string right, Draws draws) => draws.Below(3) switch
    {
        0 => $"{draws.Pick(s_before)} {right}",
        1 => $"{right} {draws.Pick(s_after)}",
        _ => $"{draws.Pick(s_before)} {right} {draws.Pick(s_after)}",
    };

    private static string Sloppy(string right, bool bare, Draws draws) => bare
        ? right + draws.Pick([",", " -", ";"])
        : draws.Below(3) switch
        {
            0 => char.ToLowerInvariant(right[0]) + right[1..],
            1 => right.TrimEnd('.', '!', '?'),
            _ => char.ToLowerInvariant(right[0]) + right[1..].TrimEnd('.', '!', '?').Replace(" ", "  ", StringComparison.Ordinal),
        };

    private static string OffConstraint(string right, Draws draws)
    {
        List<string> words = [.. right.Split(' ')];
        int at = draws.Below(words.Count);
        if (words.Count > 1 && draws.Chance(0.5))
        {
            words.RemoveAt(at);
        }
        else
        {
            words.Insert(at, words[at]);
        }

        return string.Join(' ', words);
    }
}
