using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Training.Checkpoints;

/// <summary>Where a run stands besides its tensors. Data position, schedule and random keys all follow from the step and the fingerprint.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="LossSum">Sum of the update losses since the last logged line.</param>
/// <param name="LossCount">Number of them.</param>
public sealed record TrainingProgress(int Step, double LossSum, int LossCount);

/// <summary>
/// The folders <c>checkpoint-STEP</c> of a run. Each is written beside its place and renamed when it is whole and on disk, so a name that is there can
/// be gone on with whatever happened meanwhile.
/// </summary>
/// <param name="folder">The run's output folder.</param>
public sealed class TrainingCheckpoints(string folder)
{
    private const string Prefix = "checkpoint-", Temporary = ".checkpoint-", StateFile = "training_state.json", TensorFile = "training_state.safetensors";
    private const int Version = 1;

    /// <summary>Steps of the checkpoints there are, in order.</summary>
    public IReadOnlyList<int> Steps() => !Directory.Exists(folder) ? [] :
    [
        .. Directory.EnumerateDirectories(folder, Prefix + "*")
            .Select(path => int.TryParse(Path.GetFileName(path)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int step) ? step : -1)
            .Where(step => step >= 0).Order(),
    ];

    /// <summary>Removes all checkpoints, and what interrupted saves left.</summary>
    public void Clear()
    {
        foreach (int step in Steps())
        {
            Directory.Delete(PathOf(step), recursive: true);
        }

        RemoveTemporary();
    }

    /// <summary>Writes a checkpoint and then removes the oldest beyond <paramref name="limit"/>.</summary>
    /// <param name="parameters">What is trained.</param>
    /// <param name="optimizer">Its moments.</param>
    /// <param name="progress">Where the run stands.</param>
    /// <param name="fingerprint">What decides the run's results.</param>
    /// <param name="limit">Checkpoints to keep, null for all.</param>
    /// <exception cref="BadInputException">The disk is full or refuses; the checkpoints there are stay as they are.</exception>
    public void Save(ParameterStore parameters, AdamWOptimizer optimizer, TrainingProgress progress, JsonObject fingerprint, int? limit)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(progress);
        string place = PathOf(progress.Step), temporary = Path.Combine(folder, Temporary + progress.Step.ToString(CultureInfo.InvariantCulture));
        if (Directory.Exists(place))
        {
            return;
        }

        try
        {
            Guard(temporary, () =>
            {
                RemoveTemporary();
                Directory.CreateDirectory(temporary);
            });
            SafetensorsWriter.Write(
                Path.Combine(temporary, TensorFile),
                State(parameters, optimizer).Select(s => new DeviceTensorSource(parameters.Backend, s.Name, [s.Tensor.Rows, s.Tensor.Columns], s.Tensor, DType.F32)));
            var state = new JsonObject
            {
                ["version"] = Version,
                ["step"] = progress.Step,
                ["loss_sum"] = progress.LossSum,
                ["loss_count"] = progress.LossCount,
                ["fingerprint"] = fingerprint?.DeepClone(),
            };
            AtomicFile.Write(Path.Combine(temporary, StateFile), 0, stream => stream.Write(JsonSerializer.SerializeToUtf8Bytes(state)));
            Guard(place, () => Directory.Move(temporary, place));
        }
        catch
        {
            try
            {
                RemoveTemporary();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The error that led here is the one to report.
            }

            throw;
        }

        int[] steps = [.. Steps()];
        foreach (int old in limit is { } keep ? steps[..Math.Max(0, steps.Length - keep)] : [])
        {
            Guard(PathOf(old), () => Directory.Delete(PathOf(old), recursive: true));
        }
    }

    /// <summary>Loads the newest checkpoint into parameters and moments; null if there is none.</summary>
    /// <exception cref="BadInputException">It is of another run (the message names what differs), of another shape, or damaged.</exception>
    public TrainingProgress? LoadNewest(ParameterStore parameters, AdamWOptimizer optimizer, JsonObject fingerprint)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(fingerprint);
        if (Steps() is not [.., var newest])
        {
            return null;
        }

        string place = PathOf(newest), statePath = Path.Combine(place, StateFile);
        using var document = JsonFile.ReadObject(statePath);
        TrainingProgress progress;
        try
        {
            var state = document.RootElement;
            if (state.GetProperty("version").GetInt32() != Version)
            {
                throw new BadInputException($"{statePath} is of another version of Farm.");
            }

            RequireSame(statePath, JsonObject.Create(state.GetProperty("fingerprint"))!, fingerprint);
            progress = new TrainingProgress(state.GetProperty("step").GetInt32(), state.GetProperty("loss_sum").GetDouble(), state.GetProperty("loss_count").GetInt32());
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadInputException($"{statePath} is not the state of a training run.", e);
        }

        Restore(place, parameters, optimizer);
        return progress;
    }

    private static IEnumerable<(string Name, Tensor Tensor)> State(ParameterStore parameters, AdamWOptimizer optimizer) =>
        new[] { ("parameters.matrices", parameters.Matrices.Values), ("parameters.vectors", parameters.Vectors.Values) }.Concat(optimizer.State);

    private static void Restore(string place, ParameterStore parameters, AdamWOptimizer optimizer)
    {
        using var checkpoint = Checkpoint.Open(place);
        foreach (var (name, tensor) in State(parameters, optimizer))
        {
            if (!checkpoint.Tensors.TryGetValue(name, out var stored) || stored.DType != DType.F32 || stored.Rows != tensor.Rows || stored.Columns != tensor.Columns)
            {
                throw new BadInputException($"{place}: the checkpoint is of a model of another shape ('{name}' is not F32 [{tensor.Rows}, {tensor.Columns}]).");
            }
        }

        const int Block = 1024;
        var values = new float[Block * ParameterStore.FlatColumns];
        foreach (var (name, tensor) in State(parameters, optimizer))
        {
            for (int first = 0; first < tensor.Rows; first += Block)
            {
                int rows = Math.Min(Block, tensor.Rows - first);
                var part = values.AsSpan(0, rows * tensor.Columns);
                checkpoint.Tensors[name].Read(first, rows, MemoryMarshal.AsBytes(part));
                parameters.Backend.Upload<float>(part, tensor.SliceRows(first, rows));
            }
        }

        parameters.RefreshCopies();
    }

    private static void RequireSame(string path, JsonObject stored, JsonObject current)
    {
        foreach (string field in stored.Select(p => p.Key).Union(current.Select(p => p.Key)))
        {
            string was = stored[field]?.ToJsonString() ?? "absent", now = current[field]?.ToJsonString() ?? "absent";
            if (was != now)
            {
                throw new BadInputException($"{path}: the run was begun with other settings: {field} was {was} and is now {now}.");
            }
        }
    }

    private static void Guard(string path, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be written: {e.Message}", e);
        }
    }

    private void RemoveTemporary()
    {
        if (Directory.Exists(folder))
        {
            foreach (string path in Directory.EnumerateDirectories(folder, Temporary + "*").ToList())
            {
                Directory.Delete(path, recursive: true);
            }
        }
    }

    private string PathOf(int step) => Path.Combine(folder, Prefix + step.ToString(CultureInfo.InvariantCulture));
}
