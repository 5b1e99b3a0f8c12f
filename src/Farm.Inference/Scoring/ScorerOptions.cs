using Farm.Core;

namespace Farm.Inference;

/// <summary>How responses are scored.</summary>
public sealed record ScorerOptions
{
    /// <summary>Most tokens of prompt and response together, cut on the right; null takes the tokenizer's <c>model_max_length</c>. The context bounds it too.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Rows of one pass.</summary>
    public int Rows { get; init; } = 512;

    /// <summary>Storage of keys and values; null takes the model's default.</summary>
    public DType? KvType { get; init; }

    /// <summary>Most bytes of keys and values; null takes a quarter of the memory that is free when scoring begins.</summary>
    public long? KvBudgetBytes { get; init; }

    /// <summary>Checks every range.</summary>
    /// <exception cref="BadInputException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        if (MaxLength is < 1)
        {
            throw new BadInputException($"--max-length must be at least 1, not {MaxLength}.");
        }

        if (Rows < 1)
        {
            throw new BadInputException($"--score-rows must be at least 1, not {Rows}.");
        }
    }
}
