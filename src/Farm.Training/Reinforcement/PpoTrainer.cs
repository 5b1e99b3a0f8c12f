using System.Diagnostics;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Inference;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Training.Reinforcement;

/// <summary>
/// Proximal policy optimisation from a reward model (Schulman et al., 2017; Stiennon et al., 2020; AlpacaFarm, Dubois et al., 2023). An outer step reads top to bottom in <see cref="Step"/>: sample
/// responses, score their tokens under policy, reference and value network, reward them, estimate advantages, and update policy and value on them a few times. An outer step is a function of its number, the
/// weights before it and the settings, so that a run gone on with ends in the same bits.
/// </summary>
public sealed class PpoTrainer : IDisposable
{
    private const string PolicyPart = "policy", ValuePart = "value", Coefficient = "kl_coef", Best = "best_eval_reward", BestStep = "best_eval_step";
    private readonly PpoNetworks _networks;
    private readonly IRewardSource _rewards;
    private readonly IReadOnlyList<RolloutPrompt> _train, _eval;
    private readonly PpoOptions _options;
    private readonly IReadOnlyList<IMetricSink> _sinks;
    private readonly JsonObject _fingerprint;
    private readonly RolloutSampler _sampler;
    private readonly TrainingWorkspace _policyWorkspace, _valueWorkspace;
    private readonly PolicyUpdate _update;
    private readonly TrainingCheckpoints _checkpoints;
    private readonly KlController _kl;
    private readonly int? _paddedLength;

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
        _train = [.. train.Where(p => p.Ids.Length <= options.QueryLength)];
        (Dropped, _networks, _rewards, _eval, _options, _sinks) = (train.Count - _train.Count, networks, rewards, eval, options, sinks);
        if (_train.Count < options.DrawBatch)
        {
            throw new BadInputException(_train.Count == 0
                ? $"There is no prompt to learn on: none of {train.Count} has at most --query-len {options.QueryLength} tokens."
                : $"{_train.Count} prompts of at most --query-len {options.QueryLength} tokens are fewer than the {options.DrawBatch} that are drawn at a time.");
        }

        TotalSteps = options.MaxSteps ?? (int)Math.Min(int.MaxValue, (long)_train.Count * options.TotalEpochs / options.PromptsPerStep);
        if (TotalSteps == 0)
        {
            throw new BadInputException($"{_train.Count} prompts in {options.TotalEpochs} epochs are fewer than the {options.PromptsPerStep} of one step.");
        }

        _paddedLength = options.Departures.PaddedCells ? options.ResponseLength : null;
        int rows = checked(options.StepMicroBatch * (options.QueryLength + options.ResponseLength));
        _policyWorkspace = networks.Policy.CreateWorkspace(rows);
        _valueWorkspace = SharesWorkspace(networks) ? _policyWorkspace : networks.Value.CreateWorkspace(rows);
        _update = new PolicyUpdate(networks, options, _paddedLength, _policyWorkspace, _valueWorkspace);
        _sampler = new RolloutSampler(networks.Policy, networks.Tokenizer);
        _checkpoints = new TrainingCheckpoints(options.OutputFolder);
        _kl = options.AdaptiveKl ? new AdaptiveKlController(options.KlCoefficient, options.TargetKl, options.KBeta) : new FixedKlController(options.KlCoefficient);
        _fingerprint = PpoFingerprint.Of(fingerprint, networks, options, _train.Count, TotalSteps);
    }

    /// <summary>Prompts dropped for their length.</summary>
    public int Dropped { get; }

    /// <summary>Prompts learned on.</summary>
    public int Prompts => _train.Count;

    /// <summary>Outer steps of the whole run.</summary>
    public int TotalSteps { get; }

    /// <summary>Bytes of networks and workspaces, as allocated; sampling and reward model come on top.</summary>
    public long AllocatedBytes => _networks.Bytes + _policyWorkspace.Bytes + (ReferenceEquals(_policyWorkspace, _valueWorkspace) ? 0 : _valueWorkspace.Bytes);

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
        TrainedPart[] parts = [new(PolicyPart, _networks.Policy.Trained, _update.PolicyOptimizer), new(ValuePart, _networks.Value.Trained, _update.ValueOptimizer)];
        var progress = (_options.Resume ? _checkpoints.LoadNewest(parts, _fingerprint) : null) ?? new TrainingProgress(0, 0, 0);
        int resumedFrom = progress.Step;
        double best = double.NegativeInfinity;
        int bestStep = 0;
        if (progress.Values is { } kept)
        {
            _kl.Value = kept[Coefficient];
            bestStep = (int)kept.GetValueOrDefault(BestStep);
            best = bestStep > 0 ? kept[Best] : best;
        }

        foreach (var sink in _sinks)
        {
            sink.Begin(progress.Step);
        }

        var clock = Stopwatch.StartNew();
        IReadOnlyList<(string Name, double Value)> last = [];
        for (int step = progress.Step + 1; step <= TotalSteps; step++)
        {
            try
            {
                cancellation.ThrowIfCancellationRequested();
                bool saves = _options.SaveSteps is { } every && step % every == 0, evaluates = _eval.Count > 0 && (_options.EvalSteps is { } often ? step % often == 0 : false);
                if (_options.Departures.SavesBeforeStep)
                {
                    Observe(step, saves, evaluates);
                }

                last = Step(step, cancellation);
                Log(step, last);
                if (!_options.Departures.SavesBeforeStep)
                {
                    Observe(step, saves, evaluates);
                }

                progress = new TrainingProgress(step, 0, 0, State());
                Progress?.Invoke(step, last);
                if (saves)
                {
                    _checkpoints.Save(parts, progress, _fingerprint, _options.SaveTotalLimit);
                }
            }
            catch (OperationCanceledException)
            {
                // Nothing of a step counts until it is whole; a step that was begun is done again.
                if (progress.Step > 0 && step == progress.Step + 1 && !_stepTouchedWeights)
                {
                    _checkpoints.Save(parts, progress, _fingerprint, _options.SaveTotalLimit);
                }

                throw;
            }
        }

        return new PpoSummary(TotalSteps, resumedFrom, last, bestStep, best, clock.Elapsed.TotalSeconds);

        void Observe(int step, bool saves, bool evaluates)
        {
            if (saves)
            {
                SavePolicy?.Invoke($"policy-{step}");
            }

            if (evaluates)
            {
                // After a step the weights are ahead of the last checkpoint, so nothing is interrupted before they are one themselves.
                var (reward, rank) = Evaluate(step, _options.Departures.SavesBeforeStep ? cancellation : CancellationToken.None);
                Log(step, [("eval_reward", reward), .. rank == reward ? Array.Empty<(string, double)>() : [("eval_rank", rank)]]);
                if (rank > best)
                {
                    (best, bestStep) = (rank, step);
                    SavePolicy?.Invoke("best");
                }
            }
        }

        Dictionary<string, double> State()
        {
            var values = new Dictionary<string, double> { [Coefficient] = _kl.Value };
            if (bestStep > 0)
            {
                (values[Best], values[BestStep]) = (best, bestStep);
            }

            return values;
        }
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
        AdvantageEstimator.Estimate(_networks.Policy.Reinforcement, rollouts, _options, _kl.Value);
        double scored = clock.Elapsed.TotalSeconds, rate = LearningRate(step);
        _stepTouchedWeights = true;
        var updates = new StepStatistics();
        int perEpoch = _options.RolloutBatchSize / _options.StepBatchSize, number = (step - 1) * perEpoch * _options.UpdateEpochs;
        for (int epoch = 0; epoch < _options.UpdateEpochs; epoch++)
        {
            int[] order = Permutations.OfEpoch(rollouts.Count, _options.Seed ^ 0x5DEECE66DUL, ((step - 1) * _options.UpdateEpochs) + epoch);
            for (int i = 0; i < perEpoch; i++)
            {
                _update.Run([.. order.AsSpan(i * _options.StepBatchSize, _options.StepBatchSize).ToArray().Select(r => rollouts[r])], ++number, rate, step, updates);
            }
        }

        var statistics = PpoStatistics.Of(rollouts, _options, _kl.Value, _options.Departures.ZeroFirstLearningRate && step < TotalSteps ? LearningRate(step + 1) : rate);
        _kl.Adapt(statistics.First(s => s.Name == "objective/kl_sum_seq").Value);
        _stepTouchedWeights = false;
        return
        [
            .. statistics, .. PpoStatistics.Finish(updates), .. PpoStatistics.OfReturns(rollouts),
            ("time/sampling", sampled), ("time/scoring", scored - sampled), ("time/updates", clock.Elapsed.TotalSeconds - scored),
            ("time/tokens_per_second", rollouts.Sum(r => (double)r.Length) / Math.Max(clock.Elapsed.TotalSeconds, 1e-9)),
        ];
    }

    /// <summary>Draws the responses of an outer step.</summary>
    public IReadOnlyList<Rollout> Sample(int step, CancellationToken cancellation = default)
    {
        int prompts = _options.PromptsPerStep, draw = _options.DrawBatch, perEpoch = _train.Count / draw;
        var drawn = new List<RolloutPrompt>(prompts);
        for (int batch = 0; batch < prompts / draw; batch++)
        {
            long number = ((long)(step - 1) * (prompts / draw)) + batch;
            int[] order = Permutations.OfEpoch(_train.Count, _options.Seed, (int)(number / perEpoch));
            int first = (int)(number % perEpoch) * draw;
            drawn.AddRange(order[first..(first + draw)].Select(i => _train[i]));
        }

        return Draw(drawn, (int)((long)(step - 1) * prompts % int.MaxValue), _options.ResponsesPerPrompt, new SamplingParameters { Temperature = (float)_options.Temperature }, _options.Seed, cancellation);
    }

    /// <summary>Samples a response to each evaluation prompt, rewards them, and gives the mean reward and what ranks policies.</summary>
    public (double Reward, double Rank) Evaluate(int step, CancellationToken cancellation = default)
    {
        var sampling = new SamplingParameters { Temperature = (float)_options.EvalTemperature, TopP = (float)_options.EvalTopP };
        var rollouts = Draw(_eval, 0, 1, sampling, _options.Seed + 1, cancellation);
        float[] rewards = _rewards.Score(rollouts, cancellation);
        for (int i = 0; i < rewards.Length; i++)
        {
            rollouts[i].Reward = rewards[i];
        }

        double mean = rewards.Average(r => (double)r);
        return (mean, Evaluated?.Invoke(step, rollouts) ?? mean);
    }

    /// <summary>Fills log-probabilities, entropies, values and rewards.</summary>
    public void Score(IReadOnlyList<Rollout> rollouts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        var (policy, reference) = (_networks.Policy, _networks.Reference ?? _networks.Policy);
        RolloutScoring.LogProbs(policy, _policyWorkspace, rollouts, _paddedLength, _options.Temperature, _networks.PadId, reference: false, adapters: true, cancellation);
        // The reference has the policy's shape, so it runs in the policy's memory.
        RolloutScoring.LogProbs(reference, _policyWorkspace, rollouts, _paddedLength, _options.Temperature, _networks.PadId, reference: true, adapters: _networks.Reference is not null, cancellation);
        RolloutScoring.Values(_networks.Value, _valueWorkspace, rollouts, _paddedLength, _networks.PadId, cancellation);
        float[] rewards = _rewards.Score(rollouts, cancellation);
        for (int i = 0; i < rewards.Length; i++)
        {
            rollouts[i].Reward = float.IsFinite(rewards[i])
                ? rewards[i]
                : throw new BadInputException($"Row {rollouts[i].Prompt.Row}: the reward of the response is not a finite number.");
        }

        RewardPenalties.Apply(rollouts, _options, _networks.Tokenizer);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _policyWorkspace.Dispose();
        if (!ReferenceEquals(_policyWorkspace, _valueWorkspace))
        {
            _valueWorkspace.Dispose();
        }
    }

    // True between the first update of a step and its end: the weights are then of no checkpoint.
    private bool _stepTouchedWeights;

    // Networks of one shape and the same adapters take turns in one workspace.
    private static bool SharesWorkspace(PpoNetworks networks)
    {
        var (policy, value) = (networks.Policy, networks.Value);
        return PpoMemoryPlan.SameShape(policy.Config, value.Config) && policy.Options.Lora?.Rank == value.Options.Lora?.Rank && policy.Options.Lora?.Alpha == value.Options.Lora?.Alpha && policy.Options.Recompute == value.Options.Recompute;
    }

    private List<Rollout> Draw(IReadOnlyList<RolloutPrompt> prompts, int firstIndex, int responses, SamplingParameters sampling, ulong seed, CancellationToken cancellation)
    {
        var options = new GenerationOptions
        {
            NumReturnSequences = responses,
            MaxNewTokens = _options.ResponseLength,
            Sampling = sampling,
            Seed = seed,
            BatchSequences = Math.Max(_options.RolloutMicroBatch, 1),
        };
        var results = _sampler.Sample([.. prompts.Select((p, i) => new Prompt((firstIndex + i) & int.MaxValue, p.Ids))], options, cancellation);
        var rollouts = new List<Rollout>(prompts.Count * responses);
        foreach (var (result, prompt) in results.Zip(prompts))
        {
            rollouts.AddRange(result.Samples.Select(s => new Rollout
            {
                Prompt = prompt,
                Response = s.TokenIds,
                Text = s.Text!,
                Ended = s.FinishReason == FinishReason.Eos,
                SampledLogProbs = s.LogProbs,
            }));
        }

        return rollouts;
    }

    private void Log(int step, IReadOnlyList<(string Name, double Value)> values)
    {
        foreach (var sink in _sinks)
        {
            sink.Write(new MetricLine(step, values));
        }
    }
}

/// <summary>How a run ended.</summary>
/// <param name="Steps">Outer steps of the whole run.</param>
/// <param name="ResumedFrom">Outer steps done before this process.</param>
/// <param name="Statistics">Of the last step of this process; empty if none was left to do.</param>
/// <param name="BestStep">Step of the best evaluation; 0 without one.</param>
/// <param name="BestEvaluation">Its mean reward, or what ranked it.</param>
/// <param name="Seconds">Time this process took.</param>
public sealed record PpoSummary(int Steps, int ResumedFrom, IReadOnlyList<(string Name, double Value)> Statistics, int BestStep, double BestEvaluation, double Seconds);
