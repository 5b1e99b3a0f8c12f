using Farm.Core;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Reinforcement;

namespace Farm.Training.Methods;

/// <summary>One update of Quark's policy on some samples: their losses with the exact KL to the reference over the original vocabulary, one gradient norm, one step of the optimiser.</summary>
internal sealed class QuarkUpdate : IDisposable
{
    private readonly TrainableLlama _policy, _reference;
    private readonly QuarkOptions _options;
    private readonly TrainingWorkspace _workspace, _referenceWorkspace;
    private readonly Arena _scratch;
    private readonly (Tensor Own, Tensor Reference) _logits;
    private readonly TokenLosses _results = new();
    private readonly PackedBatch _batch = new(), _referenceBatch = new();

    /// <summary>Allocates the memory of updates.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="reference">The frozen reference.</param>
    /// <param name="options">Settings.</param>
    /// <param name="rows">Rows of the largest pass.</param>
    /// <param name="logitRows">Rows whose logits exist at a time.</param>
    public QuarkUpdate(TrainableLlama policy, TrainableLlama reference, QuarkOptions options, int rows, int logitRows)
    {
        (_policy, _reference, _options) = (policy, reference, options);
        int vocabulary = policy.Config.VocabularySize;
        _workspace = policy.CreateWorkspace(rows);
        _referenceWorkspace = reference.CreateWorkspace(rows);
        _scratch = new Arena(policy.Backend, 2 * Arena.SizeOf(DType.F32, logitRows, vocabulary));
        _logits = (_scratch.Take(DType.F32, logitRows, vocabulary), _scratch.Take(DType.F32, logitRows, vocabulary));
        Optimizer = new AdamWOptimizer(policy.Trained, options.AdamW);
    }

    public AdamWOptimizer Optimizer { get; }

    /// <summary>Runs the update.</summary>
    /// <param name="samples">The samples, each with what the policy reads as its prompt; the reference reads the sample's own.</param>
    /// <param name="number">1 for the first update of the run.</param>
    /// <param name="rate">Learning rate.</param>
    /// <param name="step">The outer step, for messages.</param>
    /// <param name="statistics">Receives what happened.</param>
    public void Run(IReadOnlyList<(QuarkSample Sample, int[] Prompt)> samples, int number, double rate, int step, StepStatistics statistics)
    {
        _policy.Trained.ZeroGradients();
        double cells = (double)samples.Count * _options.ResponseLength;
        var settings = new QuarkSettings(
            (float)_options.Temperature, _policy.Config.VocabularySize - _options.RewardTokens, (float)_options.KlCoefficient, (float)_options.EntropyCoefficient, (float)(1 / cells));
        foreach (int[] part in TokenPasses.Cut([.. samples.Select(s => s.Sample.Prompt.Length + s.Sample.Response.Length)], _workspace.MaxRows))
        {
            Pass([.. part.Select(i => samples[i])], settings, step, statistics);
        }

        double norm = Optimizer.GradientNorm();
        if (!double.IsFinite(norm))
        {
            throw new BadInputException(NonFinite.InGradients(step, _policy.Trained));
        }

        double factor = AdamWOptimizer.ClipFactor(norm, _options.MaxGradNorm);
        Optimizer.Step(number, rate, factor);
        statistics.Add("loss/grad_norm", norm * factor, 1);
    }

    public void Dispose()
    {
        _scratch.Dispose();
        _workspace.Dispose();
        _referenceWorkspace.Dispose();
    }

    private void Pass((QuarkSample Sample, int[] Prompt)[] samples, QuarkSettings settings, int step, StepStatistics statistics)
    {
        _batch.Clear();
        _referenceBatch.Clear();
        List<int> rows = [], referenceRows = [], ids = [];
        foreach (var (sample, prompt) in samples)
        {
            // The last token of a response predicts nothing.
            var read = sample.Response.AsSpan(0, sample.Response.Length - 1);
            int first = TokenPasses.Add(_batch, prompt, read) + prompt.Length - 1;
            int referenceFirst = TokenPasses.Add(_referenceBatch, sample.Prompt, read) + sample.Prompt.Length - 1;
            for (int t = 0; t < sample.Response.Length; t++)
            {
                rows.Add(first + t);
                referenceRows.Add(referenceFirst + t);
                ids.Add(sample.Response[t]);
            }
        }

        _policy.Forward(_batch, _workspace, training: true);
        _reference.Forward(_referenceBatch, _referenceWorkspace, training: false);
        _policy.QuarkLoss(_workspace, _reference, _referenceWorkspace, [.. rows], [.. referenceRows], [.. ids], settings, _logits, _results);
        double loss = Sum(_results.Losses), kl = Sum(_results.Kl);
        if (!double.IsFinite(loss))
        {
            throw new BadInputException(NonFinite.InForward(step, _policy, _workspace));
        }

        _policy.Backward(_workspace);
        double cells = (double)samples.Length * _options.ResponseLength;
        statistics.Add("train/loss", loss, cells);
        statistics.Add("train/logprobs", Sum(_results.LogProbs), cells);
        statistics.Add("train/entropies", Sum(_results.Entropies), cells);
        statistics.Add("train/kl_avg_seq", kl, rows.Count);
        statistics.Add("train/kl_sum_seq", kl, samples.Length);
        statistics.Add("train/masks", cells - rows.Count, samples.Length);
    }

    private static double Sum(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        return sum;
    }
}
