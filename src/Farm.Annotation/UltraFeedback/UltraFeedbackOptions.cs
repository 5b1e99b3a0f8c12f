namespace Farm.Annotation.UltraFeedback;

/// <summary>How completions are rated.</summary>
public sealed record UltraFeedbackOptions
{
    /// <summary>The rubrics.</summary>
    public UltraFeedbackTemplates Templates { get; init; } = UltraFeedbackTemplates.BuiltIn;

    /// <summary>The aspects to rate.</summary>
    public IReadOnlyList<Aspect> Aspects { get; init; } = UltraFeedback.Aspects.All;

    /// <summary>Orders in which each aspect's completions are shown, one request each; at most the 24 that there are.</summary>
    public int Rounds { get; init; } = 1;

    /// <summary>How often a request is sent until its reply can be read.</summary>
    public int Attempts { get; init; } = 10;

    /// <summary>Decides, together with the instruction and the aspect, the orders.</summary>
    public int Seed { get; init; }

    /// <summary>Requests in flight.</summary>
    public int MaxConcurrency { get; init; } = 16;

    /// <summary>True to rate again what is rated already.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>A request that came to nothing.</summary>
/// <param name="Place">The record or completion.</param>
/// <param name="What">The aspect, or <c>critique</c> or <c>overall_score</c>.</param>
/// <param name="Reason">Why.</param>
/// <param name="Reply">The last reply, null where there was none.</param>
public sealed record UltraFeedbackFailure(string Place, string What, string Reason, string? Reply);
