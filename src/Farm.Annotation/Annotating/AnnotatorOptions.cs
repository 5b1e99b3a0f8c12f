using Farm.Annotation.Journaling;

namespace Farm.Annotation.Annotating;

/// <summary>What label noise does to a row that it falls on.</summary>
public enum LabelNoiseMode
{
    /// <summary>The row gets the noisy label; it is not kept as the judge's.</summary>
    Return,

    /// <summary>The row gets no label, as in alpaca_eval 0.5 and 0.6.</summary>
    AlpacaEval,
}

/// <summary>How pairs are annotated.</summary>
public sealed record AnnotatorOptions
{
    /// <summary>Seed of the choice of annotators, the order of outputs and label noise; null is Python's <c>None</c>.</summary>
    public int? Seed { get; init; } = 0;

    /// <summary>Requests in flight.</summary>
    public int MaxConcurrency { get; init; } = 16;

    /// <summary>The probability that a label is turned round: twice that many rows get a random one. Null for none; AlpacaFarm trains with 0.25.</summary>
    public double? LabelFlip { get; init; }

    /// <summary>What noise does.</summary>
    public LabelNoiseMode LabelNoise { get; init; } = LabelNoiseMode.Return;

    /// <summary>Rows that have a preference keep it.</summary>
    public bool SkipAnnotated { get; init; }

    /// <summary>Pairs whose last request failed are asked again; without it they stay failures.</summary>
    public bool RetryFailed { get; init; }

    /// <summary>Replies in the journal are used instead of asking again.</summary>
    public bool AvoidReannotations { get; init; } = true;

    /// <summary>Where requests and replies are kept; null for nowhere.</summary>
    public AnnotationJournal? Journal { get; init; }

    /// <summary>Rows that batches are made of, as in alpaca_eval.</summary>
    public int ChunkSize { get; init; } = 128;

    /// <summary>How long requests in flight may go on after the run was cancelled, so that what they cost is not lost.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
