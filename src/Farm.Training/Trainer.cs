using System.Diagnostics;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Training.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Model;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Farm.Training;

/// <summary>
/// The loop of training: pack, forward, backward, clip, step; evaluate, log and save now and then. Every update is a function of its number, the data and the
/// settings, so that a run gone on with ends in the same bits as one never interrupted.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly TrainableLlama _model;
    private readonly TrainingTask _task;
    private readonly IReadOnlyList<TrainingExample> _train, _eval;
    private readonly TrainerOptions _options;
    private readonly JsonObject _fingerprint;
    private readonly IReadOnlyList<IMetricSink> _sinks;
    private readonly TrainingWorkspace _workspace;
    private readonly AdamWOptimizer _optimizer;
    private readonly TrainingCheckpoints _checkpoints;
    private readonly PackedBatch _batch = new();
    private readonly int _budget;

    /// <summary>Prepares a run and allocates all its memory.</summary>
    /// <param name="model">The model.</param>
    /// <param name="task">The objective.</param>
    /// <param name="train">Examples to train on.</param>
    /// <param name="eval">Examples to evaluate on, may be empty.</param>
    /// <param name="options">Settings.</param>
    /// <param name="fingerprint">What else decides the results (model, data), kept in checkpoints and compared on resume; settings are added to it.</param>
    /// <param name="sinks">Where metrics go.</param>
    /// <exception cref="BadInputException">A setting is out of range, or there is nothing to train on.</exception>
    public Trainer(
        TrainableLlama model, TrainingTask task, IReadOnlyList<TrainingExample> train, IReadOnlyList<TrainingExample> eval, TrainerOptions options,
        JsonObject fingerprint, IReadOnlyList<IMetricSink> sinks)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(eval);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(fingerprint);
        options.Validate();
        Plan = new UpdatePlan(train.Count, options.MicroBatch, options.Accumulation, options.Seed);
        Plan.Validate();
        (_model, _task, _train, _eval, _options, _sinks) = (model, task, train, eval, options, sinks);
        TotalSteps = options.MaxSteps ?? checked(options.Epochs * Plan.UpdatesPerEpoch);
        Schedule = options.WarmupSteps is { } warmup
            ? new LearningRateSchedule(options.Schedule, TotalSteps, warmup)
            : LearningRateSchedule.WithRatio(options.Schedule, TotalSteps, options.WarmupRatio);
        _budget = RowsOfPass(train, eval, options);
        _fingerprint = TrainerFingerprint.Of(fingerprint, model, task, options, train.Count, TotalSteps, Schedule.WarmupSteps, _budget);
        _checkpoints = new TrainingCheckpoints(options.OutputFolder);
        _optimizer = new AdamWOptimizer(model.Trained, options.AdamW);
        _workspace = model.CreateWorkspace(_budget);
    }

    /// <summary>Which examples each update sees.</summary>
    public UpdatePlan Plan { get; }

    /// <summary>Updates of the whole run.</summary>
    public int TotalSteps { get; }

    /// <summary>The learning rate's course.</summary>
    public LearningRateSchedule Schedule { get; }

    /// <summary>Rows of the largest pass of a run.</summary>
    public static int RowsOfPass(IReadOnlyList<TrainingExample> train, IReadOnlyList<TrainingExample> eval, TrainerOptions options)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(eval);
        ArgumentNullException.ThrowIfNull(options);
        return (int)Math.Min(Math.Max((long)Math.Min(options.MicroBatch, train.Count) * train.Max(e => e.Rows), eval.Count > 0 ? eval.Max(e => e.Rows) : 0), int.MaxValue);
    }

    /// <summary>Told after each update the updates done and its loss; may be null.</summary>
    public Action<int, double>? Progress { get; set; }

    /// <summary>Runs to the end; saves a checkpoint when <paramref name="cancellation"/> is asked for.</summary>
    /// <exception cref="BadInputException">A loss or gradient is not finite (the message names step and tensor), or a checkpoint cannot be written or used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, after the checkpoint was written.</exception>
    public TrainingSummary Run(CancellationToken cancellation = default)
    {
        var progress = (_options.Resume ? _checkpoints.LoadNewest(_model.Trained, _optimizer, _fingerprint) : null) ?? new TrainingProgress(0, 0, 0);
        int resumedFrom = progress.Step;
        _sinks.Begin(progress.Step);
        var clock = Stopwatch.StartNew();
        long tokens = 0, loggedTokens = 0;
        double loggedSeconds = 0, lastLoss = double.NaN;
        IReadOnlyList<(string Name, double Value)> evaluation = [];
        while (progress.Step < TotalSteps)
        {
            if (cancellation.IsCancellationRequested)
            {
                Save(progress);
                throw new OperationCanceledException(cancellation);
            }

            var update = Update(progress.Step);
            lastLoss = update.Loss;
            tokens += update.Tokens;
            int step = progress.Step + 1;
            progress = new TrainingProgress(step, progress.LossSum + update.Loss, progress.LossCount + 1);
            bool last = step == TotalSteps;
            if (step % _options.LoggingSteps == 0 || last)
            {
                double seconds = clock.Elapsed.TotalSeconds;
                _sinks.Write(step,
                [
                    ("epoch", Math.Round(step / (double)Plan.UpdatesPerEpoch, 4)), ("loss", progress.LossSum / progress.LossCount), ("grad_norm", update.GradientNorm),
                    ("learning_rate", update.LearningRate), ("tokens_per_second", Math.Round((tokens - loggedTokens) / Math.Max(seconds - loggedSeconds, 1e-9), 1)),
                ]);
                (loggedTokens, loggedSeconds) = (tokens, seconds);
                progress = progress with { LossSum = 0, LossCount = 0 };
            }

            if (_eval.Count > 0 && (last || (_options.EvalSteps is { } every && step % every == 0)))
            {
                evaluation = Evaluate();
                _sinks.Write(step, evaluation);
            }

            Progress?.Invoke(step, update.Loss);
            if (_options.SaveSteps is { } save && (step % save == 0))
            {
                Save(progress);
            }
        }

        return new TrainingSummary(TotalSteps, resumedFrom, lastLoss, tokens, clock.Elapsed.TotalSeconds, evaluation);
    }

    /// <summary>The evaluation examples' mean loss and the objective's metrics, names with <c>eval_</c> in front.</summary>
    public IReadOnlyList<(string Name, double Value)> Evaluate()
    {
        var results = new List<ExampleResult>(_eval.Count);
        foreach (var pass in Packed(_eval))
        {
            results.AddRange(_task.Pass(_model, _workspace, _batch, pass, null));
        }

        double loss = PerUnit ? results.Sum(r => r.LossSum) / results.Sum(r => r.Units) : results.Average(r => r.Loss);
        return [("eval_loss", loss), .. _task.EvaluationMetrics(results).Select(m => ("eval_" + m.Name, m.Value))];
    }

    /// <summary>One update: gradients of all its examples, clipped, and the optimiser's step.</summary>
    /// <param name="index">Number of the update, from 0.</param>
    public UpdateResult Update(int index)
    {
        TrainingExample[] examples = [.. Plan.ExamplesOf(index).Select(i => _train[i])];
        double units = examples.Sum(e => (double)_task.Units(e));
        // Examples carried over from the epoch before weigh what those of a whole update do.
        double whole = Math.Min(examples.Length, Plan.ExamplesPerUpdate);
        float Scale(TrainingExample e) => (float)(1 / (PerUnit ? units : whole * _task.Units(e)));
        _model.Trained.ZeroGradients();
        var results = new List<ExampleResult>(examples.Length);
        int pass = 0;
        foreach (var part in Packed(examples))
        {
            _batch.Key = (index, pass++);
            var found = _task.Pass(_model, _workspace, _batch, part, [.. part.Select(Scale)]);
            if (found.Any(r => !double.IsFinite(r.LossSum)))
            {
                throw new BadInputException(NonFinite.InForward(index + 1, _model, _workspace));
            }

            results.AddRange(found);
        }

        double norm = _optimizer.GradientNorm();
        if (!double.IsFinite(norm))
        {
            throw new BadInputException(NonFinite.InGradients(index + 1, _model.Trained));
        }

        double rate = _options.LearningRate * Schedule.Factor(index);
        _optimizer.Step(index + 1, rate, AdamWOptimizer.ClipFactor(norm, _options.MaxGradNorm));
        double loss = PerUnit ? results.Sum(r => r.LossSum) / units : results.Average(r => r.Loss);
        return new UpdateResult(loss, norm, rate, examples.Sum(e => e.Rows));
    }

    /// <inheritdoc/>
    public void Dispose() => _workspace.Dispose();

    private bool PerUnit => _task.AlwaysPerUnit || _options.Normalization == LossNormalization.Token;

    private void Save(TrainingProgress progress) => _checkpoints.Save(_model.Trained, _optimizer, progress, _fingerprint, _options.SaveTotalLimit);

    // In order, as many to a pass as fit: short examples share one, so products are as tall as memory allows.
    private IEnumerable<TrainingExample[]> Packed(IReadOnlyList<TrainingExample> examples) =>
        TokenPasses.Cut([.. examples.Select(e => e.Rows)], _budget).Select(pass => pass.Select(i => examples[i]).ToArray());
}
