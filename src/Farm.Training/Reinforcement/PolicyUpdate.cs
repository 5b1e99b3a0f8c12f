using Farm.Core;
using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Training.Reinforcement;

/// <summary>
/// One update of policy and value on some rollouts: clipped losses over their cells, one gradient norm over both networks, one step of each optimiser. Means run over all cells of the update, so the size of
/// micro-batches changes nothing but memory.
/// </summary>
internal sealed class PolicyUpdate(PpoNetworks networks, PpoOptions options, int? paddedLength, PpoWorkspaces workspaces)
{
    private readonly AdamWOptimizer _policyOptimizer = new(networks.Policy.Trained, options.AdamW), _valueOptimizer = new(networks.Value.Trained, options.AdamW);
    private readonly PackedBatch _batch = new();
    private readonly TokenLosses _results = new();

    public AdamWOptimizer PolicyOptimizer => _policyOptimizer;

    public AdamWOptimizer ValueOptimizer => _valueOptimizer;

    /// <summary>Runs the update.</summary>
    /// <param name="rollouts">The rollouts, in order.</param>
    /// <param name="number">1 for the first update of the run.</param>
    /// <param name="learningRate">Learning rate.</param>
    /// <param name="step">The outer step, for messages.</param>
    /// <param name="statistics">Receives what happened.</param>
    public void Run(IReadOnlyList<Rollout> rollouts, int number, double learningRate, int step, StepStatistics statistics)
    {
        networks.Policy.Trained.ZeroGradients();
        networks.Value.Trained.ZeroGradients();
        CellLayout[] layouts = [.. rollouts.Select(r => CellLayout.Of(r, paddedLength))];
        float scale = (float)(1.0 / layouts.Sum(l => (double)l.Cells));
        int counted = options.Departures.PartialStatistics ? rollouts.Count - options.StepMicroBatch : 0;
        foreach (int[] part in TokenPasses.Cut([.. layouts.Select(l => l.SequenceLength)], workspaces.Policy.MaxRows, paddedLength is null ? int.MaxValue : options.StepMicroBatch))
        {
            CellLayout[] own = [.. part.Select(i => layouts[i])];
            bool[] seen = [.. part.Select(i => i >= counted)];
            Pass(own, seen, scale, statistics, step);
        }

        double policyNorm = _policyOptimizer.GradientNorm(), valueNorm = _valueOptimizer.GradientNorm(), norm = Math.Sqrt((policyNorm * policyNorm) + (valueNorm * valueNorm));
        if (!double.IsFinite(norm))
        {
            var culprit = double.IsFinite(policyNorm) ? networks.Value.Trained : networks.Policy.Trained;
            throw new BadInputException(NonFinite.InGradients(step, culprit));
        }

        double factor = AdamWOptimizer.ClipFactor(norm, options.MaxGradNorm);
        _policyOptimizer.Step(number, learningRate, factor);
        _valueOptimizer.Step(number, learningRate, factor);
        statistics.Add("ppo/loss/grad_norm", options.Departures.PartialStatistics ? norm * factor : norm, 1);
    }

    private void Pass(CellLayout[] layouts, bool[] seen, float scale, StepStatistics statistics, int step)
    {
        _batch.Clear();
        List<int> rows = [], ids = [];
        List<float> old = [], advantages = [], oldValues = [], returns = [];
        foreach (var layout in layouts)
        {
            layout.Add(_batch, rows, ids, networks.PadId);
            var rollout = layout.Rollout;
            for (int t = 0; t < layout.Rows; t++)
            {
                // The row after the last token is only looked at: an advantage of 0 sends no gradient.
                old.Add(rollout.LogProbs[t]);
                advantages.Add(t < rollout.Length ? rollout.Advantages[t] : 0);
                oldValues.Add(rollout.Values[t]);
                returns.Add(rollout.Returns[t]);
            }
        }

        int[] at = [.. rows];
        networks.Policy.Forward(_batch, workspaces.Policy, training: true);
        networks.Policy.PolicyLoss(
            workspaces.Policy, at, [.. ids], new PolicyLossSettings((float)options.Temperature, (float)options.ClipRange, scale), [.. old], [.. advantages], _results);
        Require(_results.Losses, step, networks.Policy, workspaces.Policy);
        networks.Policy.Backward(workspaces.Policy);
        AddPolicy(layouts, seen, statistics);

        var values = new float[at.Length];
        networks.Value.Forward(_batch, workspaces.Value, training: true);
        networks.Value.ValueLoss(workspaces.Value, at, [.. oldValues], [.. returns], (float)options.ClipRangeValue, (float)options.ValueCoefficient * scale, values, _results);
        Require(_results.Losses, step, networks.Value, workspaces.Value);
        float[] losses = _results.Losses.ToArray(), clipped = _results.Clipped.ToArray();
        networks.Value.Backward(workspaces.Value);
        int first = 0;
        for (int i = 0; i < layouts.Length; i++)
        {
            var cells = losses.AsSpan(first, layouts[i].Rows);
            AddValue(layouts[i].Rollout, 0, seen[i], values.AsSpan(first, layouts[i].Rows), cells, clipped.AsSpan(first, layouts[i].Rows), statistics);
            first += layouts[i].Rows;
        }

        Padding(layouts, seen, scale, statistics);
    }

    private void AddPolicy(CellLayout[] layouts, bool[] seen, StepStatistics statistics)
    {
        int first = 0;
        for (int i = 0; i < layouts.Length; i++)
        {
            var layout = layouts[i];
            var rollout = layout.Rollout;
            int tokens = rollout.Length, padding = layout.Cells - layout.Rows;
            double loss = 0, clips = 0, squares = 0, ratios = 0, ratioSquares = 0, entropy = padding * Math.Log(networks.Policy.Config.VocabularySize);
            for (int t = 0; t < layout.Rows; t++)
            {
                entropy += _results.Entropies[first + t];
            }

            for (int t = 0; t < tokens; t++)
            {
                double change = (double)_results.LogProbs[first + t] - rollout.LogProbs[t], ratio = Math.Exp(change);
                loss += _results.Losses[first + t];
                clips += _results.Clipped[first + t];
                squares += change * change;
                ratios += ratio;
                ratioSquares += ratio * ratio;
            }

            for (int t = tokens; t < layout.Cells; t++)
            {
                loss -= rollout.Advantages[t];
            }

            first += layout.Rows;
            if (!seen[i])
            {
                continue;
            }

            statistics.Add("ppo/loss/policy", loss, layout.Cells);
            statistics.Add("ppo/loss/total", loss, layout.Cells);
            statistics.Add("ppo/policy/entropy", entropy, layout.Cells);
            statistics.Add("ppo/policy/approxkl", 0.5 * squares, layout.Cells);
            statistics.Add("ppo/policy/clipfrac", clips, layout.Cells);
            statistics.Add("ppo/val/ratio", ratios, tokens);
            statistics.Add("ppo/val/ratio_var", ratioSquares, tokens);
        }
    }

    // Padding has the head's bias as its value: it has a loss, and the bias a gradient, but no row.
    private void Padding(CellLayout[] layouts, bool[] seen, float scale, StepStatistics statistics)
    {
        int count = layouts.Sum(l => l.Cells - l.Rows);
        if (count == 0)
        {
            return;
        }

        float[] values = new float[count], gradients = new float[count];
        Array.Fill(values, networks.Value.RewardBias());
        float[] Of(Func<Rollout, float[]> cells) => [.. layouts.SelectMany(l => cells(l.Rollout)[l.Rows..])];
        networks.Value.ValueLoss(
            workspaces.Value, values, Of(r => r.Values), Of(r => r.Returns), (float)options.ClipRangeValue, (float)options.ValueCoefficient * scale, _results, gradients);
        networks.Value.AddRewardBiasGradient(workspaces.Value, (float)gradients.Sum(g => (double)g));
        int first = 0;
        for (int i = 0; i < layouts.Length; i++)
        {
            int own = layouts[i].Cells - layouts[i].Rows;
            AddValue(layouts[i].Rollout, layouts[i].Rows, seen[i], values.AsSpan(first, own), _results.Losses.Slice(first, own), _results.Clipped.Slice(first, own), statistics);
            first += own;
        }
    }

    private void AddValue(Rollout rollout, int firstCell, bool seen, ReadOnlySpan<float> values, ReadOnlySpan<float> losses, ReadOnlySpan<float> clipped, StepStatistics statistics)
    {
        if (!seen)
        {
            return;
        }

        double loss = 0, error = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double off = (double)values[i] - rollout.Returns[firstCell + i];
            loss += losses[i];
            error += off * off;
        }

        statistics.Add("ppo/loss/value", loss, values.Length);
        statistics.Add("ppo/loss/total", options.ValueCoefficient * loss, 0);
        statistics.AddAll("ppo/val/vpred", values);
        statistics.Add("ppo/val/error", error, values.Length);
        statistics.AddAll("ppo/val/clipfrac", clipped);
    }

    private static void Require(ReadOnlySpan<float> losses, int step, TrainableLlama model, TrainingWorkspace workspace)
    {
        foreach (float loss in losses)
        {
            if (!float.IsFinite(loss))
            {
                throw new BadInputException(NonFinite.InForward(step, model, workspace));
            }
        }
    }
}
