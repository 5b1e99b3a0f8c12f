using System.Diagnostics;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Tokenizers;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Reinforcement;

namespace Farm.Training.Methods;

/// <summary>
/// Quark (Lu et al., "Quantized Reward Konditioning", 2022) as AlpacaFarm has it: sample, reward, sort the pool into quantiles, and fit the policy to the best quantile, or to all of them behind their reward
/// tokens, with the exact KL to the reference over the original vocabulary. Three of AlpacaFarm's faults are not kept: samples stay token ids, so that they keep their end-of-sequence token; responses begin right
/// after their prompt; and quantiles are over the whole pool.
/// </summary>
public sealed class QuarkTrainer : IDisposable
{
    private const int LogitBlockBytes = 32 << 20;
    private readonly ITokenizer _tokenizer;
    private readonly IRewardSource _rewards;
    private readonly RolloutPrompts _train;
    private readonly QuarkOptions _options;
    private readonly IReadOnlyList<IMetricSink> _sinks;
    private readonly JsonObject _fingerprint;
    private readonly QuarkUpdate _update;
    private readonly TrainedPart[] _parts;
    private readonly TrainingCheckpoints _checkpoints;
    private readonly RolloutSampler _sampler;
    private readonly int _firstToken;
    private List<QuarkSample> _pool = [];

    /// <summary>Prepares a run and allocates its memory.</summary>
    /// <param name="policy">The policy, its vocabulary with room for the reward tokens after <paramref name="tokenizer"/>'s.</param>
    /// <param name="reference">The frozen reference, of the same vocabulary.</param>
    /// <param name="tokenizer">The tokenizer without reward tokens: none of them can be sampled.</param>
    /// <param name="rewards">The reward model.</param>
    /// <param name="train">Prompts.</param>
    /// <param name="options">Settings.</param>
    /// <param name="fingerprint">What else decides the results.</param>
    /// <param name="sinks">Where metrics go.</param>
    public QuarkTrainer(
        TrainableLlama policy, TrainableLlama reference, ITokenizer tokenizer, IRewardSource rewards, IReadOnlyList<RolloutPrompt> train, QuarkOptions options, JsonObject fingerprint, IReadOnlyList<IMetricSink> sinks)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(fingerprint);
        options.Validate(policy.MaxPositions);
        (_tokenizer, _rewards, _options, _sinks) = (tokenizer, rewards, options, sinks);
        _train = new RolloutPrompts(
            train, options.QueryLength, options.RolloutBatchSize, Math.Min(options.RolloutMicroBatch, options.RolloutBatchSize), options.TotalEpochs, options.MaxSteps, options.Seed);
        _firstToken = policy.Config.VocabularySize - options.RewardTokens;
        int rows = checked(options.StepMicroBatch * (options.QueryLength + 1 + options.ResponseLength));
        _update = new QuarkUpdate(policy, reference, options, rows, LogitRows(policy.Config.VocabularySize, rows));
        _parts = [new(string.Empty, policy.Trained, _update.Optimizer)];
        _checkpoints = new TrainingCheckpoints(options.OutputFolder);
        _sampler = new RolloutSampler(policy, tokenizer);
        _fingerprint = QuarkFingerprint.Of(fingerprint, policy, options, _train.Count, TotalSteps);
    }

    /// <summary>Outer steps of the whole run.</summary>
    public int TotalSteps => _train.TotalSteps;

    /// <summary>Rows whose logits exist at a time.</summary>
    internal static int LogitRows(int vocabulary, int rows) => Math.Clamp(LogitBlockBytes / (vocabulary * sizeof(float)), 1, rows);

    /// <summary>Told after each outer step the steps done and its statistics; may be null.</summary>
    public Action<int, IReadOnlyList<(string Name, double Value)>>? Progress { get; set; }

    /// <summary>Runs to the end; saves a checkpoint when <paramref name="cancellation"/> is asked for.</summary>
    /// <exception cref="BadInputException">A reward, loss or gradient is not finite, or a checkpoint cannot be written or used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled between steps.</exception>
    public PpoSummary Run(CancellationToken cancellation = default)
    {
        var progress = (_options.Resume ? _checkpoints.LoadNewest(_parts, _fingerprint) : null) ?? new TrainingProgress(0, 0, 0);
        int resumedFrom = progress.Step;
        _pool = resumedFrom > 0 && !_options.ClearPool ? QuarkPoolFile.Read(_options.OutputFolder, resumedFrom) : [];
        _sinks.Begin(progress.Step);
        var clock = Stopwatch.StartNew();
        IReadOnlyList<(string Name, double Value)> last = [];
        while (progress.Step < TotalSteps)
        {
            int step = progress.Step + 1;
            List<QuarkSample> drawn;
            try
            {
                cancellation.ThrowIfCancellationRequested();
                drawn = Sample(step, cancellation);
            }
            catch (OperationCanceledException) when (progress.Step > 0)
            {
                Save(progress);
                throw;
            }

            last = Step(step, drawn);
            _sinks.Write(step, last);
            Progress?.Invoke(step, last);
            progress = new TrainingProgress(step, 0, 0);
            if (_options.SaveSteps is { } every && step % every == 0)
            {
                Save(progress);
            }
        }

        return new PpoSummary(TotalSteps, resumedFrom, last, 0, double.NaN, clock.Elapsed.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Dispose() => _update.Dispose();

    // AlpacaFarm's schedule: the factor at index step - 1, so that a warmed-up run's first step has rate 0.
    private double LearningRate(int step) => _options.LearningRate * new LearningRateSchedule(ScheduleKind.Linear, TotalSteps, _options.WarmupSteps).Factor(step - 1);

    private List<QuarkSample> Sample(int step, CancellationToken cancellation)
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = _options.ResponseLength,
            Sampling = new SamplingParameters { Temperature = (float)_options.Temperature },
            Seed = _options.Seed,
            BatchSequences = _options.RolloutMicroBatch,
        };
        // The best token asks for the best; in the first step it means nothing yet and is left out.
        var rollouts = _sampler.Draw(_train.OfStep(step), _train.FirstIndex(step), options, prompt => step == 1 ? prompt.Ids : Conditioned(prompt.Ids, 0), cancellation);
        RolloutScoring.Rewards(_rewards, rollouts, cancellation);
        return [.. rollouts.Select(r => new QuarkSample(r.Prompt.Row, r.Prompt.Ids, r.Response, r.Reward))];
    }

    private IReadOnlyList<(string Name, double Value)> Step(int step, List<QuarkSample> drawn)
    {
        _pool = _options.ClearPool ? drawn : [.. _pool, .. drawn];
        var kept = Kept();
        if (kept.Length == 0)
        {
            throw new BadInputException($"Step {step}: {_pool.Count} samples are fewer than --num-reward-tokens {_options.RewardTokens}, so the best quantile is empty.");
        }

        var statistics = new StepStatistics();
        statistics.AddAll("train/reward", [.. drawn.Select(s => s.Reward)]);
        double rate = LearningRate(step);
        for (int update = 0; update < _options.GradientSteps; update++)
        {
            var batch = Batch(kept.Length, (step * _options.GradientSteps) + update).Select(i => kept[i]);
            _update.Run([.. batch], ((step - 1) * _options.GradientSteps) + update + 1, rate, step, statistics);
        }

        return [.. statistics.Means(), ("train/kl_coef", _options.KlCoefficient), ("train/entropy_coef", _options.EntropyCoefficient), ("train/lr", rate)];
    }

    // The samples that are learned on, best first, each with the prompt that tells its quantile.
    private (QuarkSample Sample, int[] Prompt)[] Kept()
    {
        float[] rewards = [.. _pool.Select(s => s.Reward)];
        int[] quantile = QuarkPool.Quantiles(rewards, _options.RewardTokens);
        return [.. QuarkPool.Order(rewards).Where(i => !_options.BestQuantileOnly || quantile[i] == 0).Select(i => (_pool[i], Conditioned(_pool[i].Prompt, quantile[i])))];
    }

    // Places of an update's samples, in cycles over what is kept, each cycle in a new order.
    private IEnumerable<int> Batch(int kept, int key) => Enumerable.Range(0, int.MaxValue)
        .SelectMany(cycle => Permutations.OfEpoch(kept, _options.Seed ^ 0x2545F4914F6CDD1DUL, (key * 1024) + cycle))
        .Take(_options.StepBatchSize);

    // The reward token stands after the beginning-of-sequence token, before the prompt's text.
    private int[] Conditioned(int[] prompt, int quantile)
    {
        if (_options.BestQuantileOnly)
        {
            return prompt;
        }

        int at = _tokenizer.BosId is { } bos && prompt.Length > 0 && prompt[0] == bos ? 1 : 0;
        return [.. prompt.AsSpan(0, at), _firstToken + quantile, .. prompt.AsSpan(at)];
    }

    private void Save(TrainingProgress progress)
    {
        if (!_options.ClearPool)
        {
            // Before the checkpoint, so that one that is there always finds its pool.
            QuarkPoolFile.Write(_options.OutputFolder, progress.Step, _pool);
        }

        _checkpoints.Save(_parts, progress, _fingerprint, _options.SaveTotalLimit);
    }
}
