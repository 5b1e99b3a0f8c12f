namespace Farm.Annotation.UltraFeedback;

/// <summary>What the correction did with a completion.</summary>
public enum ScoreFix
{
    /// <summary>The score is not 10, or there are no ratings to doubt it by.</summary>
    None,

    /// <summary>10 stood for 1 and became it.</summary>
    Flipped,

    /// <summary>The judge has to be asked again.</summary>
    AskAgain,

    /// <summary>10 is meant.</summary>
    Kept,
}

/// <summary>
/// The correction of December 2023: some judges' overall scores of 1 were recorded as 10. A completion with 10 is held against the mean of its ratings.
/// </summary>
public static class OverallScoreFix
{
    private const double Suspect = 10, Flip = 2, Doubt = 4, Lowest = 1;

    /// <summary>Records the mean of the ratings (<c>fine-grained_score</c>) and sets a flipped score right.</summary>
    /// <returns>What was done, or is left to do.</returns>
    public static ScoreFix Apply(UltraFeedbackCompletion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        double? mean = completion.MeanOfAspects();
        completion.FineGrainedScore = mean;
        if (completion.OverallScore != Suspect || mean is not { } rating)
        {
            return ScoreFix.None;
        }

        if (rating > Doubt)
        {
            return ScoreFix.Kept;
        }

        if (rating > Flip)
        {
            return ScoreFix.AskAgain;
        }

        completion.OverallScore = Lowest;
        return ScoreFix.Flipped;
    }
}
