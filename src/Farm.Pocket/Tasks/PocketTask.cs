namespace Farm.Pocket.Tasks;

/// <summary>What a row asks for: how a right answer is written, and how any text is graded as an answer. Grades are in [0, 1].</summary>
internal sealed class PocketTask
{
    /// <summary>Writes a right answer; there may be many.</summary>
    public required Func<Draws, string> Answer { get; init; }

    /// <summary>Grades the facts of a response that has at least one word.</summary>
    public required Func<Response, double> Correctness { get; init; }

    /// <summary>Grades whether what the instruction demands of the form is kept; null where it demands nothing.</summary>
    public Func<Response, double>? Constraint { get; init; }

    /// <summary>Does a word, in lower case, belong to the subject? Those of the row and of an answer do anyway.</summary>
    public Func<string, bool>? Topic { get; init; }

    /// <summary>True where the answer is a text as it stands rather than a sentence: no capital or full stop is wanted, and words may repeat.</summary>
    public bool Bare { get; init; }
}
