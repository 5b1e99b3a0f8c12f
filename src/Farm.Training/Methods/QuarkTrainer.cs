using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
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
    private readonly TrainableLlama _policy, _reference;
    private readonly ITokenizer _sampled;
    private readonly IRewardSource _rewards;
    private readonly IReadOnlyList<RolloutPrompt> _train;
    private readonly QuarkOptions _options;
    private readonly IReadOnlyList<IMetricSink> _sinks;
    private readonly JsonObject _fingerprint;
    private readonly TrainingWorkspace _workspace, _referenceWorkspace;
    private readonly Arena _scratch;
    private readonly (Tensor Own, Tensor Reference) _logits;
    private readonly AdamWOptimizer _optimizer;
    private readonly TrainingCheckpoints _checkpoints;
    private readonly RolloutSampler _sampler;
    private readonly TokenLosses _results = new();
    private readonly PackedBatch _batch = new();
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
        _train = [.. train.Where(p => p.Ids.Length <= options.QueryLength)];
        (_policy, _reference, _sampled, _rewards, _options, _sinks) = (policy, reference, tokenizer, rewards, options, sinks);
        _firstToken = policy.Config.VocabularySize - options.RewardTokens;
        int draw = Math.Min(options.RolloutMicroBatch, options.RolloutBatchSize);
        if (_train.Count < draw)
        {
            throw new BadInputException($"{_train.Count} prompts of at most --query-len {options.QueryLength} tokens are fewer than the {draw} that are drawn at a time.");
        }

        TotalSteps = options.MaxSteps ?? (int)Math.Min(int.MaxValue, (long)_train.Count * options.TotalEpochs / options.RolloutBatchSize);
        if (TotalSteps == 0)
        {
            throw new BadInputException($"{_train.Count} prompts in {options.TotalEpochs} epochs are fewer than the {options.RolloutBatchSize} of one step.");
        }

        int rows = checked(options.StepMicroBatch * (options.QueryLength + 1 + options.ResponseLength)), vocabulary = policy.Config.VocabularySize;
        _workspace = policy.CreateWorkspace(rows);
        _referenceWorkspace = reference.CreateWorkspace(rows);
        int block = LogitRows(vocabulary, rows);
        _scratch = new Arena(policy.Backend, 2 * Arena.SizeOf(DType.F32, block, vocabulary));
        _logits = (_scratch.Take(DType.F32, block, vocabulary), _scratch.Take(DType.F32, block, vocabulary));
        _optimizer = new AdamWOptimizer(policy.Trained, options.AdamW);
        _checkpoints = new TrainingCheckpoints(options.OutputFolder);
        _sampler = new RolloutSampler(policy, tokenizer);
        _fingerprint = Fingerprint(fingerprint);
    }

    /// <summary>Outer steps of the whole run.</summary>
    public int TotalSteps { get; }

    /// <summary>Rows whose logits exist at a time.</summary>
    internal static int LogitRows(int vocabulary, int rows) => Math.Clamp(LogitBlockBytes / (vocabulary * sizeof(float)), 1, rows);

    /// <summary>Told after each outer step the steps done and its statistics; may be null.</summary>
    public Action<int, IReadOnlyList<(string Name, double Value)>>? Progress { get; set; }

    /// <summary>Runs to the end; saves a checkpoint when <paramref name="cancellation"/> is asked for.</summary>
    /// <exception cref="BadInputException">A reward, loss or gradient is not finite, or a checkpoint cannot be written or used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled between steps.</exception>
    public PpoSummary Run(CancellationToken cancellation = default)
    {
        TrainedPart[] parts = [new(string.Empty, _policy.Trained, _optimizer)];
        var progress = (_options.Resume ? _checkpoints.LoadNewest(parts, _fingerprint) : null) ?? new TrainingProgress(0, 0, 0);
        int resumedFrom = progress.Step;
        _pool = resumedFrom > 0 && !_options.ClearPool ? ReadPool(resumedFrom) : [];
        foreach (var sink in _sinks)
        {
            sink.Begin(progress.Step);
        }

        var clock = Stopwatch.StartNew();
        IReadOnlyList<(string Name, double Value)> last = [];
        for (int step = progress.Step + 1; step <= TotalSteps; step++)
        {
            List<QuarkSample> drawn;
            try
            {
                cancellation.ThrowIfCancellationRequested();
                drawn = Rollout(step, cancellation);
            }
            catch (OperationCanceledException)
            {
                if (progress.Step > 0)
                {
                    Save(parts, progress);
                }

                throw;
            }

            last = Step(step, drawn);
            foreach (var sink in _sinks)
            {
                sink.Write(new MetricLine(step, last));
            }

            Progress?.Invoke(step, last);
            progress = new TrainingProgress(step, 0, 0);
            if (_options.SaveSteps is { } every && step % every == 0)
            {
                Save(parts, progress);
            }
        }

        return new PpoSummary(TotalSteps, resumedFrom, last, 0, double.NaN, clock.Elapsed.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _scratch.Dispose();
        _workspace.Dispose();
        _referenceWorkspace.Dispose();
    }

    // AlpacaFarm's schedule: the factor at index step - 1, so that a warmed-up run's first step has rate 0.
    private double LearningRate(int step) => _options.LearningRate * new LearningRateSchedule(ScheduleKind.Linear, TotalSteps, _options.WarmupSteps).Factor(step - 1);

    private List<QuarkSample> Rollout(int step, CancellationToken cancellation)
    {
        int draw = Math.Min(_options.RolloutMicroBatch, _options.RolloutBatchSize), perEpoch = _train.Count / draw, batches = _options.RolloutBatchSize / draw;
        var prompts = new List<RolloutPrompt>(_options.RolloutBatchSize);
        for (int batch = 0; batch < batches; batch++)
        {
            long number = ((long)(step - 1) * batches) + batch;
            int[] order = Permutations.OfEpoch(_train.Count, _options.Seed, (int)(number / perEpoch));
            int first = (int)(number % perEpoch) * draw;
            prompts.AddRange(order[first..(first + draw)].Select(i => _train[i]));
        }

        // The best token asks for the best; in the first step it means nothing yet and is left out.
        int[] Conditioned(RolloutPrompt prompt) => _options.BestQuantileOnly || step == 1 ? prompt.Ids : WithToken(prompt.Ids, 0);
        int firstIndex = (int)((long)(step - 1) * _options.RolloutBatchSize % int.MaxValue);
        var results = _sampler.Sample([.. prompts.Select((p, i) => new Prompt((firstIndex + i) & int.MaxValue, Conditioned(p)))], new GenerationOptions
        {
            MaxNewTokens = _options.ResponseLength,
            Sampling = new SamplingParameters { Temperature = (float)_options.Temperature },
            Seed = _options.Seed,
            BatchSequences = _options.RolloutMicroBatch,
        }, cancellation);
        Rollout[] rollouts = [.. results.Zip(prompts, (result, prompt) => new Rollout
        {
            Prompt = prompt,
            Response = result.Samples[0].TokenIds,
            Text = result.Samples[0].Text ?? string.Empty,
            Ended = result.Samples[0].FinishReason == FinishReason.Eos,
            SampledLogProbs = result.Samples[0].LogProbs,
        })];
        float[] rewards = _rewards.Score(rollouts, cancellation);
        return [.. rollouts.Select((r, i) => float.IsFinite(rewards[i])
            ? new QuarkSample(r.Prompt.Row, r.Prompt.Ids, r.Response, rewards[i])
            : throw new BadInputException($"Row {r.Prompt.Row}: the reward of the response is not a finite number."))];
    }

    private IReadOnlyList<(string Name, double Value)> Step(int step, List<QuarkSample> drawn)
    {
        _pool = _options.ClearPool ? drawn : [.. _pool, .. drawn];
        int[] quantile = QuarkPool.Quantiles([.. _pool.Select(s => s.Reward)], _options.RewardTokens);
        (QuarkSample Sample, int Quantile)[] kept = [.. QuarkPool.Order([.. _pool.Select(s => s.Reward)]).Select(i => (_pool[i], quantile[i])).Where(s => !_options.BestQuantileOnly || s.Item2 == 0)];
        if (kept.Length == 0)
        {
            throw new BadInputException($"Step {step}: {_pool.Count} samples are fewer than --num-reward-tokens {_options.RewardTokens}, so the best quantile is empty.");
        }

        var statistics = new StepStatistics();
        statistics.AddAll("train/reward", [.. drawn.Select(s => s.Reward)]);
        double rate = LearningRate(step);
        for (int update = 0; update < _options.GradientSteps; update++)
        {
            // Samples in cycles over what is kept, each cycle in a new order.
            var batch = new List<(QuarkSample Sample, int Quantile)>(_options.StepBatchSize);
            for (int cycle = 0; batch.Count < _options.StepBatchSize; cycle++)
            {
                int[] order = Permutations.OfEpoch(kept.Length, _options.Seed ^ 0x2545F4914F6CDD1DUL, (((step * _options.GradientSteps) + update) * 1024) + cycle);
                batch.AddRange(order.Take(_options.StepBatchSize - batch.Count).Select(i => kept[i]));
            }

            Update(batch, ((step - 1) * _options.GradientSteps) + update + 1, rate, step, statistics);
        }

        return [.. statistics.Means(), ("train/kl_coef", _options.KlCoefficient), ("train/entropy_coef", _options.EntropyCoefficient), ("train/lr", rate)];
    }

    private void Update(List<(QuarkSample Sample, int Quantile)> samples, int number, double rate, int step, StepStatistics statistics)
    {
        _policy.Trained.ZeroGradients();
        double cells = (double)samples.Count * _options.ResponseLength;
        var settings = new QuarkSettings((float)_options.Temperature, _firstToken, (float)_options.KlCoefficient, (float)_options.EntropyCoefficient, (float)(1 / cells));
        var referenceBatch = new PackedBatch();
        foreach (int[] part in TokenPasses.Cut([.. samples.Select(s => s.Sample.Prompt.Length + s.Sample.Response.Length)], _workspace.MaxRows))
        {
            _batch.Clear();
            referenceBatch.Clear();
            List<int> rows = [], referenceRows = [], ids = [];
            foreach (int i in part)
            {
                var (sample, quantile) = samples[i];
                int[] prompt = _options.BestQuantileOnly ? sample.Prompt : WithToken(sample.Prompt, quantile);
                int first = TokenPasses.Add(_batch, prompt, sample.Response.AsSpan(0, sample.Response.Length - 1)) + prompt.Length - 1;
                int referenceFirst = TokenPasses.Add(referenceBatch, sample.Prompt, sample.Response.AsSpan(0, sample.Response.Length - 1)) + sample.Prompt.Length - 1;
                for (int t = 0; t < sample.Response.Length; t++)
                {
                    rows.Add(first + t);
                    referenceRows.Add(referenceFirst + t);
                    ids.Add(sample.Response[t]);
                }
            }

            _policy.Forward(_batch, _workspace, training: true);
            _reference.Forward(referenceBatch, _referenceWorkspace, training: false);
            _policy.QuarkLoss(_workspace, _reference, _referenceWorkspace, [.. rows], [.. referenceRows], [.. ids], settings, _logits, _results);
            double loss = Sum(_results.Losses), kl = Sum(_results.Kl);
            if (!double.IsFinite(loss))
            {
                throw new BadInputException(NonFinite.InForward(step, _policy, _workspace));
            }

            _policy.Backward(_workspace);
            double own = (double)part.Length * _options.ResponseLength;
            statistics.Add("train/loss", loss, own);
            statistics.Add("train/logprobs", Sum(_results.LogProbs), own);
            statistics.Add("train/entropies", Sum(_results.Entropies), own);
            statistics.Add("train/kl_avg_seq", kl, rows.Count);
            statistics.Add("train/kl_sum_seq", kl, part.Length);
            statistics.Add("train/masks", own - rows.Count, part.Length);
        }

        double norm = _optimizer.GradientNorm();
        if (!double.IsFinite(norm))
        {
            throw new BadInputException(NonFinite.InGradients(step, _policy.Trained));
        }

        double factor = AdamWOptimizer.ClipFactor(norm, _options.MaxGradNorm);
        _optimizer.Step(number, rate, factor);
        statistics.Add("loss/grad_norm", norm * factor, 1);
    }

    // The reward token stands after the beginning-of-sequence token, before the prompt's text.
    private int[] WithToken(int[] prompt, int quantile)
    {
        int at = _sampled.BosId is { } bos && prompt.Length > 0 && prompt[0] == bos ? 1 : 0;
        return [.. prompt.AsSpan(0, at), _firstToken + quantile, .. prompt.AsSpan(at)];
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

    private string PoolPath(int step) => Path.Combine(_options.OutputFolder, $"pool-{step}.json");

    private void Save(TrainedPart[] parts, TrainingProgress progress)
    {
        if (!_options.ClearPool)
        {
            // Before the checkpoint, so that one that is there always finds its pool.
            AtomicFile.Write(PoolPath(progress.Step), 0, stream => stream.Write(JsonSerializer.SerializeToUtf8Bytes(_pool)));
        }

        _checkpoints.Save(parts, progress, _fingerprint, _options.SaveTotalLimit);
    }

    private List<QuarkSample> ReadPool(int step)
    {
        try
        {
            return JsonSerializer.Deserialize<List<QuarkSample>>(File.ReadAllBytes(PoolPath(step))) ?? throw new JsonException("null");
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{PoolPath(step)} cannot be read: {e.Message}", e);
        }
    }

    private JsonObject Fingerprint(JsonObject given)
    {
        var all = (JsonObject)given.DeepClone();
        var o = _options;
        foreach (var (name, node) in new (string, JsonNode)[]
        {
            ("method", "quark"), ("prompts", _train.Count), ("total_steps", TotalSteps), ("rollout_batch_size", o.RolloutBatchSize), ("rollout_per_device_batch_size", o.RolloutMicroBatch),
            ("step_batch_size", o.StepBatchSize), ("step_per_device_batch_size", o.StepMicroBatch), ("learning_rate", o.LearningRate), ("warmup_steps", o.WarmupSteps), ("adam_epsilon", o.AdamW.Epsilon),
            ("weight_decay", o.AdamW.WeightDecay), ("max_grad_norm", o.MaxGradNorm), ("kl_coef", o.KlCoefficient), ("entropy_coef", o.EntropyCoefficient), ("num_reward_tokens", o.RewardTokens),
            ("train_on_best_quantile", o.BestQuantileOnly), ("clear_data_pool_on_each_rollout", o.ClearPool), ("num_gradient_steps_per_step", o.GradientSteps), ("temperature", o.Temperature),
            ("query_len", o.QueryLength), ("response_len", o.ResponseLength), ("seed", o.Seed), ("backend", _policy.Backend.Name), ("policy", PpoFingerprint.Shape(_policy)),
        })
        {
            all[name] = node;
        }

        return all;
    }
}
