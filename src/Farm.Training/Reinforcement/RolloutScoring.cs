using Farm.Core;
using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>
/// Where a rollout's cells lie in a packed batch. The row of a token predicts the next one: response token t is read at row prompt + t - 1. With padded cells the row after the last
/// token exists too where the response is shorter than the longest, as its state is a real one; cells beyond it are padding.
/// </summary>
/// <param name="Rollout">The rollout.</param>
/// <param name="Cells">Cells in all.</param>
/// <param name="Rows">Cells that have a row: the response's tokens, and with padding the one after them.</param>
internal readonly record struct CellLayout(Rollout Rollout, int Cells, int Rows)
{
    public static CellLayout Of(Rollout rollout, int? paddedLength) => paddedLength is { } length
        ? new CellLayout(rollout, length, Math.Min(rollout.Length + 1, length))
        : new CellLayout(rollout, rollout.Length, rollout.Length);

    /// <summary>Tokens of the sequence that has all rows; the last token is left out where nothing is read at it.</summary>
    public int SequenceLength => Rollout.Prompt.Ids.Length + Rows - 1;

    /// <summary>Adds the sequence to a batch, the rows of its cells and the tokens they predict to lists.</summary>
    public void Add(PackedBatch batch, List<int> rows, List<int> ids, int padId)
    {
        int first = TokenPasses.Add(batch, Rollout.Prompt.Ids, Rollout.Response.AsSpan(0, Rows - 1)) + Rollout.Prompt.Ids.Length - 1;
        for (int t = 0; t < Rows; t++)
        {
            rows.Add(first + t);
            ids.Add(t < Rollout.Length ? Rollout.Response[t] : padId);
        }
    }
}

/// <summary>What is known of rollouts before an update: log-probabilities, entropies and values without gradient, by the kernels of training, and rewards.</summary>
internal static class RolloutScoring
{
    /// <summary>Fills log-probabilities and entropies of all cells: those of the policy, or with <paramref name="reference"/> of the reference.</summary>
    public static void LogProbs(
        TrainableLlama model, TrainingWorkspace workspace, IReadOnlyList<Rollout> rollouts, int? paddedLength, double temperature, int padId, bool reference, bool adapters, CancellationToken cancellation)
    {
        Pass(model, workspace, rollouts, paddedLength, padId, adapters, (layouts, rows, ids) =>
        {
            float[] logProbs = new float[rows.Length], entropies = new float[rows.Length];
            model.LogProbs(workspace, rows, ids, (float)temperature, logProbs, entropies);
            int at = 0;
            foreach (var layout in layouts)
            {
                var rollout = layout.Rollout;
                float[] found = new float[layout.Cells], spread = new float[layout.Cells];
                logProbs.AsSpan(at, rollout.Length).CopyTo(found);
                entropies.AsSpan(at, layout.Rows).CopyTo(spread);
                // Logits are zero at padding (AlpacaFarm's flash attention), so the distribution is uniform there.
                spread.AsSpan(layout.Rows).Fill((float)Math.Log(model.Config.VocabularySize));
                at += layout.Rows;
                if (reference)
                {
                    (rollout.ReferenceLogProbs, rollout.ReferenceEntropies) = (found, spread);
                }
                else
                {
                    (rollout.LogProbs, rollout.Entropies) = (found, spread);
                }
            }
        }, cancellation);
    }

    /// <summary>Fills the values of all cells; padding has the head's bias.</summary>
    public static void Values(TrainableLlama model, TrainingWorkspace workspace, IReadOnlyList<Rollout> rollouts, int? paddedLength, int padId, CancellationToken cancellation)
    {
        float bias = model.RewardBias();
        Pass(model, workspace, rollouts, paddedLength, padId, adapters: true, (layouts, rows, _) =>
        {
            var values = new float[rows.Length];
            model.Rewards(workspace, rows, values);
            int at = 0;
            foreach (var layout in layouts)
            {
                var all = new float[layout.Cells];
                values.AsSpan(at, layout.Rows).CopyTo(all);
                all.AsSpan(layout.Rows).Fill(bias);
                layout.Rollout.Values = all;
                at += layout.Rows;
            }
        }, cancellation);
    }

    /// <summary>Fills the rewards.</summary>
    /// <exception cref="BadInputException">One is not a finite number.</exception>
    public static void Rewards(IRewardSource source, IReadOnlyList<Rollout> rollouts, CancellationToken cancellation)
    {
        float[] rewards = source.Score(rollouts, cancellation);
        for (int i = 0; i < rewards.Length; i++)
        {
            rollouts[i].Reward = float.IsFinite(rewards[i])
                ? rewards[i]
                : throw new BadInputException($"Row {rollouts[i].Prompt.Row}: the reward of the response is not a finite number.");
        }
    }

    private static void Pass(
        TrainableLlama model, TrainingWorkspace workspace, IReadOnlyList<Rollout> rollouts, int? paddedLength, int padId, bool adapters, Action<CellLayout[], int[], int[]> read,
        CancellationToken cancellation)
    {
        var batch = new PackedBatch();
        CellLayout[] layouts = [.. rollouts.Select(r => CellLayout.Of(r, paddedLength))];
        foreach (int[] part in TokenPasses.Cut([.. layouts.Select(l => l.SequenceLength)], workspace.MaxRows))
        {
            cancellation.ThrowIfCancellationRequested();
            batch.Clear();
            List<int> rows = [], ids = [];
            CellLayout[] own = [.. part.Select(i => layouts[i])];
            foreach (var layout in own)
            {
                layout.Add(batch, rows, ids, padId);
            }

            model.Forward(batch, workspace, training: false, adapters);
            read(own, [.. rows], [.. ids]);
        }
    }
}
