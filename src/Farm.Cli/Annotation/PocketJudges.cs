using Farm.Annotation.Judging;
using Farm.Core;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Annotation;

/// <summary>The pocket world's judges, and simple rules, as judges of pairs.</summary>
internal static class PocketJudges
{
    private const double Tie = 1e-12;

    /// <summary>The judges that a name means; null where it means none of these.</summary>
    /// <exception cref="BadInputException">There is no such pocket judge.</exception>
    public static IReadOnlyList<Farm.Annotation.Judging.IPairwiseJudge>? Find(string name, int seed)
    {
        switch (name)
        {
            case "longest":
                return [new FunctionJudge("longest", (p, _) => ValueTask.FromResult(Length(p.Output1) > Length(p.Output2) ? 1.0 : 2.0)) { IsRandomizeOutputOrder = false }];
            case "pocket:gold":
                return [new FunctionJudge("pocket_gold", (p, _) => ValueTask.FromResult(Gold(p)))];
        }

        if (name != "pocket" && !name.StartsWith("pocket:", StringComparison.Ordinal))
        {
            return null;
        }

        // Label noise is the annotator's: the judges themselves turn nothing round.
        var judges = new Farm.Pocket.Judging.JudgePool((ulong)Math.Abs((long)seed), flipProbability: 0).Judges;
        string wanted = name.Length > 7 ? name[7..] : "pool";
        var chosen = judges.Where(j => wanted == "pool" || j.Name == wanted).ToList();
        return chosen.Count > 0
            ? [.. chosen.Select(j => new FunctionJudge(j.Name, (p, _) => ValueTask.FromResult((double)j.Prefer(Row(p), p.Output1, p.Output2)), $"seed {seed}"))]
            : throw new BadInputException($"There is no judge '{name}'; there are pocket, pocket:gold and pocket:{judges[0].Name} to pocket:{judges[^1].Name}.");
    }

    /// <summary>Is the row one that pocket judges know?</summary>
    public static bool Knows(string instruction, string? input) => GoldJudge.KindOf(new PocketRow(instruction, input ?? string.Empty)) is not null;

    private static PocketRow Row(ShownPair pair) => new(pair.Row!.Instruction, pair.Row.Input ?? string.Empty);

    private static double Gold(ShownPair pair)
    {
        var row = Row(pair);
        double gain = GoldJudge.Score(row, pair.Output1).Total - GoldJudge.Score(row, pair.Output2).Total;
        return Math.Abs(gain) <= Tie ? 1.5 : gain > 0 ? 1 : 2;
    }

    private static int Length(string text) => text.EnumerateRunes().Count();
}
