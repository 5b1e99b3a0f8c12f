using System.Diagnostics;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Inference;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Optimisation;

namespace Farm.Training.Reinforcement;

/// <summary>
/// Proximal policy optimisation from a reward model (Schulman et al., 2017; Stiennon et al., 2020; AlpacaFarm, Dubois et al., 2023). An outer step reads top to bottom in <see cref="Step"/>: sample
/// responses, score their tokens under policy, reference and value network, reward them, estimate advantages, and update policy and value on them a few times. An outer step is a function of its number, the
/// weights before it and the settings, so that a run gone on with ends in the same bits.
/// </summary>
public sealed class PpoTrainer : IDisposable
{
    private readonly PpoNetworks _networks;
    private readonly IRewardSource _rewards;
    private readonly RolloutPrompts _train;
    private readonly IReadOnlyList<RolloutPrompt> _eval;
    private readonly PpoOptions _options;
    private readonly IReadOnlyList<IMetricSink> _sinks;
    private readonly JsonObject _fingerprint;
    private readonly RolloutSampler _sampler;
    private readonly PpoWorkspaces _workspaces;
    private readonly PolicyUpdate _update;
    private readonly TrainingCheckpoints _checkpoints;
    private readonly TrainedPart[] _parts;
    private readonly PpoState _state;
    private readonly int? _paddedLength;

    // True between the first update of a step and its end: the weights are then of no checkpoint.
    private bool _stepTouchedWeights;

    /// <summary>Prepares a run and allocates its memory.</summary>
    /// <param name="networks">The networks.</param>
    /// <param name="rewards">The reward model.</param>
    /// <param name="train">Prompts to learn on; longer ones than the query length are dropped.</param>
    /// <param name="eval">Prompts to evaluate on, may be empty.</param>
    /// <param name="options">Settings.</param>
    /// <param name="fingerprint">What else decides the results (models, data), kept in checkpoints and compared on resume; settings are added to it.</param>
    /// <param name="sinks">Where metrics go.</param>
    /// <exception cref="BadInputException">A setting is out of range, or there are too few prompts.</exception>
    public PpoTrainer(
        PpoNetworks networks, IRewardSource rewards, IReadOnlyList<RolloutPrompt> train, IReadOnlyList<RolloutPrompt> eval, PpoOptions options, JsonObject fingerprint, IReadOnlyList<IMetricSink> sinks)
    {
        ArgumentNullException.ThrowIfNull(networks);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(eval);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(fingerprint);
        options.Validate(networks.Policy.MaxPositions);
        _train = new RolloutPrompts(train, options.QueryLength, options.PromptsPerStep, options.DrawBatch, options.TotalEpochs, options.MaxSteps, options.Seed);
        (_networks, _rewards, _eval, _options, _sinks) = (networks, rewards, eval, options, sinks);
        _paddedLength = options.Departures.PaddedCells ? options.ResponseLength : null;
        _workspaces = new PpoWorkspaces(networks, checked(options.StepMicroBatch * (options.QueryLength + options.ResponseLength)));
        _update = new PolicyUpdate(networks, options, _paddedLength, _workspaces);
        _parts = [new("policy", networks.Policy.Trained, _update.PolicyOptimizer), new("value", networks.Value.Trained, _update.ValueOptimizer)];
        _sampler = new RolloutSampler(networks.Policy, networks.Tokenizer);
        _checkpoints = new TrainingCheckpoints(options.OutputFolder);
        _state = new PpoState(options.AdaptiveKl ? new AdaptiveKlController(options.KlCoefficient, options.TargetKl, options.KBeta) : new FixedKlController(options.KlCoefficient));
        _fingerprint = PpoFingerprint.Of(fingerprint, networks, options, Prompts, TotalSteps);
    }

    /// <summary>Prompts dropped for their length.</summary>
    public int Dropped => _train.Dropped;

    /// <summary>Prompts learned on.</summary>
    public int Prompts => _train.Count;

    /// <summary>Outer steps of the whole run.</summary>
    public int TotalSteps => _train.TotalSteps;

    /// <summary>Bytes of networks and workspaces, as allocated; sampling and reward model come on top.</summary>
    public long AllocatedBytes => _networks.Bytes + _workspaces.Bytes;

    /// <summary>Told after each outer step the steps done and its statistics; may be null.</summary>
    public Action<int, IReadOnlyList<(string Name, double Value)>>? Progress { get; set; }

    /// <summary>Told to save the policy as a model folder: its folder's name under the output. Null saves none.</summary>
    public Action<string>? SavePolicy { get; set; }

    /// <summary>Told of the rollouts of each step, e.g. to keep them; may be null.</summary>
    public Action<int, IReadOnlyList<Rollout>>? Rollouts { get; set; }

    /// <summary>Told of the responses of each evaluation with their rewards; may be null. A number it returns decides which policy is the best one; null leaves that to the mean reward.</summary>
    public Func<int, IReadOnlyList<Rollout>, double?>? Evaluated { get; set; }

    /// <summary>Learning rate of an outer step, counted from 1: linear warm-up and decay. AlpacaFarm's schedule stands one step behind, so that its first step learns nothing.</summary>
    public double LearningRate(int step) => _options.LearningRate * (_options.Departures.ZeroFirstLearningRate
        ? new LearningRateSchedule(ScheduleKind.Linear, TotalSteps, _options.WarmupSteps).Factor(step - 1)
        : new LearningRateSchedule(ScheduleKind.Linear, TotalSteps + 1, _options.WarmupSteps).Factor(step));

    /// <summary>Runs to the end; saves a checkpoint when <paramref name="cancellation"/> is asked for.</summary>
    /// <exception cref="BadInputException">A reward, loss or gradient is not finite, or a checkpoint cannot be written or used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, after the checkpoint of the last whole step was written.</exception>
    public PpoSummary Run(CancellationToken cancellation = default)
    {
        var progress = (_options.Resume ? _checkpoints.LoadNewest(_parts, _fingerprint) : null) ?? new TrainingProgress(0, 0, 0);
        int resumedFrom = progress.Step;
        bool observesFirst = _options.Departures.SavesBeforeStep;
        _state.Restore(progress.Values);
        _sinks.Begin(progress.Step);
        var clock = Stopwatch.StartNew();
        IReadOnlyList<(string Name, double Value)> last = [];
        while (progress.Step < TotalSteps)
        {
            int step = progress.Step + 1;
            try
            {
                cancellation.ThrowIfCancellationRequested();
                if (observesFirst)
                {
                    Observe(step, cancellation);
                }

                last = Step(step, cancellation);
            }
            catch (OperationCanceledException) when (progress.Step > 0 && !_stepTouchedWeights)
            {
                // Nothing of a step counts until it is whole; a step that was begun is done again.
                Save(progress);
                throw;
            }

            _sinks.Write(step, last);
            if (!observesFirst)
            {
                // The weights are ahead of the last checkpoint, so nothing is interrupted before they are one themselves.
                Observe(step, CancellationToken.None);
            }

            progress = new TrainingProgress(step, 0, 0, _state.Values());
            Progress?.Invoke(step, last);
            if (Saves(step))
            {
                Save(progress);
            }
        }

        return new PpoSummary(TotalSteps, resumedFrom, last, _state.BestStep, _state.BestEvaluation, clock.Elapsed.TotalSeconds);
    }

    /// <summary>One outer step.</summary>
    /// <param name="step">Its number, from 1.</param>
    /// <param name="cancellation">Stops the sampling and scoring; updates are not interrupted.</param>
    /// <returns>Its statistics.</returns>
    public IReadOnlyList<(string Name, double Value)> Step(int step, CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        var rollouts = Sample(step, cancellation);
        double sampled = clock.Elapsed.TotalSeconds;
        Score(rollouts, cancellation);
        Rollouts?.Invoke(step, rollouts);
        AdvantageEstimator.Estimate(_networks.Policy.Reinforcement, rollouts, _options, _state.Kl.Value);
        double scored = clock.Elapsed.TotalSeconds, rate = LearningRate(step);
        _stepTouchedWeights = true;
        var updates = Update(rollouts, step, rate);
        var statistics = PpoStatistics.Of(rollouts, _options, _state.Kl.Value, _options.Departures.ZeroFirstLearningRate && step < TotalSteps ? LearningRate(step + 1) : rate);
        _state.Kl.Adapt(statistics.First(s => s.Name == "objective/kl_sum_seq").Value);
        _stepTouchedWeights = false;
        return
        [
            .. statistics, .. PpoStatistics.Finish(updates), .. PpoStatistics.OfReturns(rollouts),
            ("time/sampling", sampled), ("time/scoring", scored - sampled), ("time/updates", clock.Elapsed.TotalSeconds - scored),
            ("time/tokens_per_second", rollouts.Sum(r => (double)r.Length) / Math.Max(clock.Elapsed.TotalSeconds, 1e-9)),
        ];
    }

    /// <summary>Draws the responses of an outer step.</summary>
    public IReadOnlyList<Rollout> Sample(int step, CancellationToken cancellation = default) => _sampler.Draw(
        _train.OfStep(step), _train.FirstIndex(step), Generation(_options.ResponsesPerPrompt, new SamplingParameters { Temperature = (float)_options.Temperature }, _options.Seed), cancellation: cancellation);

    /// <summary>Samples a response to each evaluation prompt, rewards them, and gives the mean reward and what ranks policies.</summary>
    public (double Reward, double Rank) Evaluate(int step, CancellationToken cancellation = default)
    {
        var sampling = new SamplingParameters { Temperature = (float)_options.EvalTemperature, TopP = (float)_options.EvalTopP };
        var rollouts = _sampler.Draw(_eval, 0, Generation(1, sampling, _options.Seed + 1), cancellation: cancellation);
        RolloutScoring.Rewards(_rewards, rollouts, cancellation);
        double mean = rollouts.Average(r => (double)r.Reward);
        return (mean, Evaluated?.Invoke(step, rollouts) ?? mean);
    }

    /// <summary>Fills log-probabilities, entropies, values and rewards.</summary>
    public void Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        var (policy, reference) = (_networks.Policy, _networks.Reference ?? _networks.Policy);
        RolloutScoring.LogProbs(policy, _workspaces.Policy, rollouts, _paddedLength, _options.Temperature, _networks.PadId, reference: false, adapters: true, cancellation);
        // The reference has the policy's shape, so it runs in the policy's memory.
        RolloutScoring.LogProbs(reference, _workspaces.Policy, rollouts, _paddedLength, _options.Temperature, _networks.PadId, reference: true, adapters: _networks.Reference is not null, cancellation);
        RolloutScoring.Values(_networks.Value, _workspaces.Value, rollouts, _paddedLength, _networks.PadId, cancellation);
        RolloutScoring.Rewards(_rewards, rollouts, cancellation);
        RewardPenalties.Apply(rollouts, _options, _networks.Tokenizer);
    }

    /// <inheritdoc/>
    public void Dispose() => _workspaces.Dispose();

    private bool Saves(int step) => _options.SaveSteps is { } every && step % every == 0;

    private void Save(TrainingProgress progress) => _checkpoints.Save(_parts, progress, _fingerprint, _options.SaveTotalLimit);

    // Where it is due: saves the policy, and evaluates it and saves it as the best one if it is.
    private void Observe(int step, CancellationToken cancellation)
    {
        if (Saves(step))
        {
            SavePolicy?.Invoke($"policy-{step}");
        }

        if (_eval.Count > 0 && _options.EvalSteps is { } every && step % every == 0)
        {
            var (reward, rank) = Evaluate(step, cancellation);
            _sinks.Write(step, [("eval_reward", reward), .. rank == reward ? Array.Empty<(string, double)>() : [("eval_rank", rank)]]);
            if (_state.IsBest(step, rank))
            {
                SavePolicy?.Invoke("best");
            }
        }
    }

    // Passes over the rollouts, each in a new order and cut into updates.
    private StepStatistics Update(IReadOnlyList<Rollout> rollouts, int step, double rate)
    {
        var statistics = new StepStatistics();
        int perEpoch = _options.RolloutBatchSize / _options.StepBatchSize, number = (step - 1) * perEpoch * _options.UpdateEpochs;
        for (int epoch = 0; epoch < _options.UpdateEpochs; epoch++)
        {
            int[] order = Permutations.OfEpoch(rollouts.Count, _options.Seed ^ 0x5DEECE66DUL, ((step - 1) * _options.UpdateEpochs) + epoch);
            foreach (int[] part in order.Chunk(_options.StepBatchSize))
            {
                _update.Run([.. part.Select(r => rollouts[r])], ++number, rate, step, statistics);
            }
        }

        return statistics;
    }

    private GenerationOptions Generation(int responses, SamplingParameters sampling, ulong seed) => new()
    {
        NumReturnSequences = responses,
        MaxNewTokens = _options.ResponseLength,
        Sampling = sampling,
        Seed = seed,
        BatchSequences = _options.RolloutMicroBatch,
    };
}
