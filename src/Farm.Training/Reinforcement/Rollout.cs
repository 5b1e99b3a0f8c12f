namespace Farm.Training.Reinforcement;

/// <summary>A prompt to roll out.</summary>
/// <param name="Row">Its row in the input, counted from 1, for messages.</param>
/// <param name="Ids">Its tokens.</param>
/// <param name="Text">The text they were made from.</param>
public sealed record RolloutPrompt(int Row, int[] Ids, string Text);

/// <summary>
/// A sampled response and all that is known of it. Vectors have one element per cell: per response token, or with padded cells per place of the longest response, where padding follows the tokens.
/// </summary>
public sealed class Rollout
{
    /// <summary>The prompt.</summary>
    public required RolloutPrompt Prompt { get; init; }

    /// <summary>The tokens sampled, the end-of-sequence token included; at least one.</summary>
    public required int[] Response { get; init; }

    /// <summary>The response's text without special tokens.</summary>
    public required string Text { get; init; }

    /// <summary>True where the response ends with the end-of-sequence token.</summary>
    public required bool Ended { get; init; }

    /// <summary>Log-probabilities of the tokens as the sampler found them, at temperature 1.</summary>
    public required float[] SampledLogProbs { get; init; }

    /// <summary>The reward model's score, penalties included.</summary>
    public float Reward { get; set; }

    /// <summary>Log-probabilities under the policy that sampled; 0 at padding.</summary>
    public float[] LogProbs { get; set; } = [];

    /// <summary>Log-probabilities under the reference; 0 at padding.</summary>
    public float[] ReferenceLogProbs { get; set; } = [];

    /// <summary>Entropies of the policy's distributions.</summary>
    public float[] Entropies { get; set; } = [];

    /// <summary>Entropies of the reference's.</summary>
    public float[] ReferenceEntropies { get; set; } = [];

    /// <summary>Values of the states before the tokens.</summary>
    public float[] Values { get; set; } = [];

    /// <summary>The KL estimate that is penalised.</summary>
    public float[] Kl { get; set; } = [];

    /// <summary>KL penalty, with the reward added at the last token.</summary>
    public float[] ShapedRewards { get; set; } = [];

    /// <summary>Advantages, whitened.</summary>
    public float[] Advantages { get; set; } = [];

    /// <summary>Returns.</summary>
    public float[] Returns { get; set; } = [];

    /// <summary>Tokens of the response.</summary>
    public int Length => Response.Length;

    /// <summary>The tokens of the response without the end-of-sequence token, which the reward model never sees.</summary>
    public int[] Content => Ended ? Response[..^1] : Response;
}
