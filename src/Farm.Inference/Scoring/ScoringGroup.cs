namespace Farm.Inference;

/// <summary>Responses to one prompt, as token ids.</summary>
/// <param name="Index">The prompt's row in the input, from 0 as in <see cref="Prompt"/>; messages count from 1.</param>
/// <param name="Prefix">Tokens of the prompt, run through the model once.</param>
/// <param name="Responses">The responses.</param>
public sealed record ScoringGroup(int Index, int[] Prefix, IReadOnlyList<ScoringResponse> Responses)
{
    /// <summary>A group of responses that follow the prompt's ids.</summary>
    public static ScoringGroup Of(int index, int[] promptIds, IEnumerable<int[]> responses)
    {
        ArgumentNullException.ThrowIfNull(promptIds);
        ArgumentNullException.ThrowIfNull(responses);
        return new(index, promptIds, [.. responses.Select(ids => new ScoringResponse(promptIds.Length, ids))]);
    }
}

/// <summary>One response of a <see cref="ScoringGroup"/>.</summary>
/// <param name="Shared">How many tokens of the group's prefix it follows.</param>
/// <param name="Ids">The tokens after them.</param>
public readonly record struct ScoringResponse(int Shared, int[] Ids);
