using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Inference;

/// <summary>Tells whether two models speak the same token ids.</summary>
public static class Vocabularies
{
    private const string Probe = "### Instruction:\nName 3 things, e.g. tea & naïve jokes.\n\n### Response: \tdéjà vu, 東京, Привет, 🙂 = {x_1: 2.5e-7}";

    /// <summary>True if both have as many tokens, the same special ids, and split a text of many kinds alike.</summary>
    public static bool AreSame(ITokenizer left, ITokenizer right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return ReferenceEquals(left, right)
            || (left.VocabularySize == right.VocabularySize && left.BosId == right.BosId && left.EosId == right.EosId
                && left.Encode(Probe).AsSpan().SequenceEqual(right.Encode(Probe)));
    }

    /// <summary>Refuses models whose ids mean different tokens. A folder without tokenizer is taken at its word.</summary>
    /// <exception cref="BadInputException">They differ.</exception>
    public static void RequireSame(ITokenizer? policy, ITokenizer? scorer)
    {
        if (policy is not null && scorer is not null && !AreSame(policy, scorer))
        {
            throw new BadInputException("The decoder and the scorer have different vocabularies, so the scorer cannot read the decoder's token ids; use --score-text to score the text.");
        }
    }
}
