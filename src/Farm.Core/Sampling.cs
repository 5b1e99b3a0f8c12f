namespace Farm.Core;

/// <summary>
/// How a token is drawn from logits. Filters apply in the order of the Hugging Face generator: repetition penalty, temperature,
/// top-k, top-p, min-p; what is left is renormalised. Ties at a filter's edge keep the lower token id.
/// </summary>
public sealed record SamplingParameters
{
    /// <summary>Divides the logits; 0 is greedy (the highest logit, the lowest id on a tie).</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Keeps the k most probable tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the smallest set of most probable tokens whose mass reaches p (Holtzman et al., 2020); 1 keeps all.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Keeps tokens at least this fraction as probable as the most probable one; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>
    /// Divides positive and multiplies negative logits of tokens already in the prompt or response
    /// (Keskar et al., CTRL, section 4.1); 1 changes nothing.
    /// </summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Checks every range.</summary>
    /// <exception cref="BadInputException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(float.IsFinite(Temperature) && Temperature >= 0, "temperature", "a number of at least 0", Temperature);
        Require(TopK >= 0, "top-k", "at least 0", TopK);
        Require(TopP is > 0 and <= 1, "top-p", "above 0 and at most 1", TopP);
        Require(MinP is >= 0 and <= 1, "min-p", "from 0 to 1", MinP);
        Require(float.IsFinite(RepetitionPenalty) && RepetitionPenalty > 0, "repetition-penalty", "above 0", RepetitionPenalty);
    }

    private static void Require(bool condition, string name, string range, float value)
    {
        if (!condition)
        {
            throw new BadInputException($"--{name} must be {range}, not {value}.");
        }
    }
}
