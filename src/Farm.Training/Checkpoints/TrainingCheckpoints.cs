using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Training.Checkpoints;

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
    public void Save(ParameterStore parameters, AdamWOptimizer optimizer, TrainingProgress progress, JsonObject fingerprint, int? limit) =>
        Save([new TrainedPart(string.Empty, parameters, optimizer)], progress, fingerprint, limit);

    /// <summary>The same of several parts.</summary>
    /// <exception cref="BadInputException">The disk is full or refuses; the checkpoints there are stay as they are.</exception>
    public void Save(IReadOnlyList<TrainedPart> parts, TrainingProgress progress, JsonObject fingerprint, int? limit)
    {
        ArgumentNullException.ThrowIfNull(parts);
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
                State(parts).Select(s => new DeviceTensorSource(parts[0].Parameters.Backend, s.Name, [s.Tensor.Rows, s.Tensor.Columns], s.Tensor, DType.F32)));
            var state = new JsonObject
            {
                ["version"] = Version,
                ["step"] = progress.Step,
                ["loss_sum"] = progress.LossSum,
                ["loss_count"] = progress.LossCount,
                ["fingerprint"] = fingerprint?.DeepClone(),
            };
            if (progress.Values is { } values)
            {
                state["values"] = new JsonObject(values.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, v.Value)));
            }

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
    public TrainingProgress? LoadNewest(ParameterStore parameters, AdamWOptimizer optimizer, JsonObject fingerprint) =>
        LoadNewest([new TrainedPart(string.Empty, parameters, optimizer)], fingerprint);

    /// <summary>The same of several parts.</summary>
    /// <exception cref="BadInputException">It is of another run (the message names all that differs), of another shape, or damaged.</exception>
    public TrainingProgress? LoadNewest(IReadOnlyList<TrainedPart> parts, JsonObject fingerprint)
    {
        ArgumentNullException.ThrowIfNull(parts);
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
            progress = new TrainingProgress(state.GetProperty("step").GetInt32(), state.GetProperty("loss_sum").GetDouble(), state.GetProperty("loss_count").GetInt32(),
                state.TryGetProperty("values", out var values) ? values.EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetDouble()) : null);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new BadInputException($"{statePath} is not the state of a training run.", e);
        }

        Restore(place, parts);
        return progress;
    }

    private static IEnumerable<(string Name, Tensor Tensor)> State(IReadOnlyList<TrainedPart> parts) => parts.SelectMany(part =>
        new[] { ("parameters.matrices", part.Parameters.Matrices.Values), ("parameters.vectors", part.Parameters.Vectors.Values) }.Concat(part.Optimizer.State)
            .Select(s => (part.Name.Length == 0 ? s.Item1 : $"{part.Name}.{s.Item1}", s.Item2)));

    private static void Restore(string place, IReadOnlyList<TrainedPart> parts)
    {
        using var checkpoint = Checkpoint.Open(place);
        foreach (var (name, tensor) in State(parts))
        {
            if (!checkpoint.Tensors.TryGetValue(name, out var stored) || stored.DType != DType.F32 || stored.Rows != tensor.Rows || stored.Columns != tensor.Columns)
            {
                throw new BadInputException($"{place}: the checkpoint is of a model of another shape ('{name}' is not F32 [{tensor.Rows}, {tensor.Columns}]).");
            }
        }

        const int Block = 1024;
        var values = new float[Block * ParameterStore.FlatColumns];
        foreach (var (name, tensor) in State(parts))
        {
            for (int first = 0; first < tensor.Rows; first += Block)
            {
                int rows = Math.Min(Block, tensor.Rows - first);
                var part = values.AsSpan(0, rows * tensor.Columns);
                checkpoint.Tensors[name].Read(first, rows, MemoryMarshal.AsBytes(part));
                parts[0].Parameters.Backend.Upload<float>(part, tensor.SliceRows(first, rows));
            }
        }

        foreach (var part in parts)
        {
            part.Parameters.RefreshCopies();
        }
    }

    private static void RequireSame(string path, JsonObject stored, JsonObject current)
    {
        var differences = stored.Select(p => p.Key).Union(current.Select(p => p.Key))
            .Select(field => (Field: field, Was: stored[field]?.ToJsonString() ?? "absent", Now: current[field]?.ToJsonString() ?? "absent"))
            .Where(d => d.Was != d.Now).Select(d => $"{d.Field} was {d.Was} and is now {d.Now}").ToList();
        if (differences.Count > 0)
        {
            throw new BadInputException($"{path}: the run was begun with other settings: {string.Join("; ", differences)}.");
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
