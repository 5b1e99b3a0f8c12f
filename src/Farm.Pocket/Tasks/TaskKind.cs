namespace Farm.Pocket.Tasks;

/// <summary>A kind of instruction: its wordings, how its values are drawn, and what they ask for.</summary>
internal sealed class TaskKind(string name, string[] phrasings, Func<Draws, Slots> draw, Func<Slots, PocketTask?> solve)
{
    private readonly Phrasing[] _phrasings = [.. phrasings.Select(p => new Phrasing(p))];

    /// <summary>Its name in reports, e.g. "sort-words".</summary>
    public string Name { get; } = name;

    /// <summary>Writes a row without output.</summary>
    public PocketRow Write(Draws draws)
    {
        var slots = draw(draws);
        return new PocketRow(draws.Pick(_phrasings).Fill(slots), slots.Input);
    }

    /// <summary>What a row asks for, null if the row is not of this kind.</summary>
    public PocketTask? Read(PocketRow row)
    {
        foreach (var phrasing in _phrasings)
        {
            if (phrasing.Match(row.Instruction, row.Input) is { } slots && solve(slots) is { } task)
            {
                return task;
            }
        }

        return null;
    }
}
