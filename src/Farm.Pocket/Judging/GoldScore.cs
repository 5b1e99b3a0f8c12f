namespace Farm.Pocket.Judging;

/// <summary>The gold judge's grades of a response, each in [0, 1].</summary>
/// <param name="Correctness">Are the facts right? Any right answer gets 1, a right one among others 0.4, a part of a list its share.</param>
/// <param name="Constraint">Is the demanded form kept: the number of items or words, the first word, the question mark? 1 where nothing is demanded.</param>
/// <param name="Relevance">The share of words that belong to the row, its answers or the language's frame.</param>
/// <param name="WellFormedness">Capital letter, full stop, no doubled words or spaces, no stray quotes, no broken characters.</param>
/// <param name="Brevity">1 up to half as long again as a right answer, then falling with the length.</param>
public sealed record GoldScore(double Correctness, double Constraint, double Relevance, double WellFormedness, double Brevity)
{
    /// <summary>Nothing was said.</summary>
    public static GoldScore Nothing { get; } = new(0, 0, 0, 0, 0);

    /// <summary>The grades of form together: 0.4 constraint, 0.35 relevance and 0.25 well-formedness, of which no brevity leaves 0.4.</summary>
    public double Form => ((0.4 * Constraint) + (0.35 * Relevance) + (0.25 * WellFormedness)) * (0.4 + (0.6 * Brevity));

    /// <summary>
    /// Half correctness and half form, where form counts a quarter for an answer that is all wrong and fully for one that is right: a
    /// neat wrong answer gets at most 0.125.
    /// </summary>
    public double Total => (0.5 * Correctness) + (0.5 * Form * (0.25 + (0.75 * Correctness)));
}
