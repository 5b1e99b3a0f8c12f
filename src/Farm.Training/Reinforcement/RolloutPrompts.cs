using Farm.Core;
using Farm.Training.Data;

namespace Farm.Training.Reinforcement;

/// <summary>The prompts of a run and those that each outer step draws: a function of the step's number, so that a run gone on with draws what an uninterrupted one does.</summary>
internal sealed class RolloutPrompts
{
    private readonly RolloutPrompt[] _prompts;
    private readonly int _perStep, _drawBatch;
    private readonly ulong _seed;

    /// <summary>Prepares the draws of a run.</summary>
    /// <param name="given">All prompts; those longer than the query length are dropped.</param>
    /// <param name="queryLength">Most tokens of a prompt.</param>
    /// <param name="perStep">Prompts of an outer step.</param>
    /// <param name="drawBatch">Prompts drawn at a time, which divides <paramref name="perStep"/>; a remainder of an epoch smaller than it is left out.</param>
    /// <param name="epochs">Passes over the prompts.</param>
    /// <param name="maxSteps">Outer steps of the run, whatever <paramref name="epochs"/> says; null for no such limit.</param>
    /// <param name="seed">Seed of the orders.</param>
    /// <exception cref="BadInputException">There are too few prompts.</exception>
    public RolloutPrompts(IReadOnlyList<RolloutPrompt> given, int queryLength, int perStep, int drawBatch, int epochs, int? maxSteps, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(given);
        _prompts = [.. given.Where(p => p.Ids.Length <= queryLength)];
        (_perStep, _drawBatch, _seed, Dropped) = (perStep, drawBatch, seed, given.Count - _prompts.Length);
        if (Count < drawBatch)
        {
            throw new BadInputException(Count == 0
                ? $"There is no prompt to learn on: none of {given.Count} has at most --query-len {queryLength} tokens."
                : $"{Count} prompts of at most --query-len {queryLength} tokens are fewer than the {drawBatch} that are drawn at a time.");
        }

        TotalSteps = maxSteps ?? (int)Math.Min(int.MaxValue, (long)Count * epochs / perStep);
        if (TotalSteps == 0)
        {
            throw new BadInputException($"{Count} prompts in {epochs} epochs are fewer than the {perStep} of one step.");
        }
    }

    /// <summary>Prompts learned on.</summary>
    public int Count => _prompts.Length;

    /// <summary>Prompts dropped for their length.</summary>
    public int Dropped { get; }

    /// <summary>Outer steps of the whole run.</summary>
    public int TotalSteps { get; }

    /// <summary>The prompts of an outer step, counted from 1.</summary>
    public IReadOnlyList<RolloutPrompt> OfStep(int step)
    {
        int batches = _perStep / _drawBatch, perEpoch = Count / _drawBatch;
        var drawn = new List<RolloutPrompt>(_perStep);
        for (int batch = 0; batch < batches; batch++)
        {
            long number = ((long)(step - 1) * batches) + batch;
            int[] order = Permutations.OfEpoch(Count, _seed, (int)(number / perEpoch));
            int first = (int)(number % perEpoch) * _drawBatch;
            drawn.AddRange(order[first..(first + _drawBatch)].Select(i => _prompts[i]));
        }

        return drawn;
    }

    /// <summary>The index that keys the draws of an outer step's first prompt.</summary>
    public int FirstIndex(int step) => (int)((long)(step - 1) * _perStep % int.MaxValue);
}
