namespace Farm.Pocket.Judging;

/// <summary>What a simulated judge adds to the gold score, in units of that score.</summary>
/// <param name="Length">For a response that is all of the two responses' length; negative for a friend of short ones. Each gets its share of the characters.</param>
/// <param name="Lists">For a response that lists: two commas or more, or more than one line.</param>
/// <param name="Position">For the response that is shown first.</param>
public sealed record JudgeBias(double Length, double Lists, double Position)
{
    /// <summary>A judge that goes by the gold score alone.</summary>
    public static JudgeBias None { get; } = new(0, 0, 0);

    /// <summary>How much the first response gains over the second.</summary>
    internal double Of(string output1, string output2)
    {
        double length = output1.Length + output2.Length;
        return (length == 0 ? 0 : Length * (output1.Length - output2.Length) / length) + (Lists * (Listing(output1) - Listing(output2))) + Position;
    }

    private static int Listing(string text) => text.Contains('\n') || text.Count(c => c == ',') >= 2 ? 1 : 0;
}
