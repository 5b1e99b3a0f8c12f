using Farm.Core;

namespace Farm.Inference;

/// <summary>How samples are drawn and how many at a time.</summary>
public sealed record GenerationOptions
{
    /// <summary>Samples of each prompt.</summary>
    public int NumReturnSequences { get; init; } = 1;

    /// <summary>Most tokens of a sample, the end-of-sequence token included.</summary>
    public int MaxNewTokens { get; init; } = 300;

    /// <summary>How a token is drawn.</summary>
    public SamplingParameters Sampling { get; init; } = new();

    /// <summary>Key of every draw, together with prompt index, sample index and position.</summary>
    public ulong Seed { get; init; }

    /// <summary>Most samples decoded at once; 0 takes as many as memory allows, up to <see cref="Generator.WidestBatch"/>. No result depends on it.</summary>
    public int BatchSequences { get; init; }

    /// <summary>Texts that end a sample; its text is cut before them.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>Token ids that end a sample; null takes those of the model's configuration and of the tokenizer, empty ends at none.</summary>
    public IReadOnlyList<int>? EosIds { get; init; }

    /// <summary>What <see cref="PrefillRows"/> is unless given.</summary>
    public const int DefaultPrefillRows = 512;

    /// <summary>Rows of one prefill pass; longer prompts are cut into chunks.</summary>
    public int PrefillRows { get; init; } = DefaultPrefillRows;

    /// <summary>Storage of keys and values; null takes the model's default.</summary>
    public DType? KvType { get; init; }

    /// <summary>Most bytes of keys and values; null takes half of the memory that is free when generation begins, on a GPU seven eighths of it.</summary>
    public long? KvBudgetBytes { get; init; }

    /// <summary>Checks every range.</summary>
    /// <exception cref="BadInputException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(NumReturnSequences >= 1, "num-return-sequences", "at least 1", NumReturnSequences);
        Require(MaxNewTokens >= 1, "max-new-tokens", "at least 1", MaxNewTokens);
        Require(BatchSequences >= 0, "batch-sequences", "at least 0", BatchSequences);
        Require(PrefillRows >= 1, "prefill-rows", "at least 1", PrefillRows);
        Sampling.Validate();
        foreach (string stop in StopStrings)
        {
            if (string.IsNullOrEmpty(stop))
            {
                throw new BadInputException("--stop must not be empty.");
            }
        }
    }

    private static void Require(bool condition, string name, string range, int value)
    {
        if (!condition)
        {
            throw new BadInputException($"--{name} must be {range}, not {value}.");
        }
    }
}
