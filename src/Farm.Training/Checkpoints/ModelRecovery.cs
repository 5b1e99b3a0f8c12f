using System.Globalization;
using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Models.Tokenizers;
using Farm.Training.Data;
using Farm.Training.Model;

namespace Farm.Training.Checkpoints;

/// <summary>What a recovery did.</summary>
/// <param name="Tensors">Tensors written.</param>
/// <param name="Sum">Sum of all their elements.</param>
/// <param name="ExpectedSum">The sum that the diff's model_sum.txt states; null if it has none.</param>
public sealed record RecoveryResult(int Tensors, double Sum, double? ExpectedSum);

/// <summary>
/// Rebuilds a model from a base checkpoint and the difference to it, as AlpacaFarm's releases are distributed: weight = difference + base, where a base without
/// padding token first gets its mean row; tensors that the base lacks, or has in another shape, are stored as they are. Tensors stream through a
/// small buffer.
/// </summary>
public static class ModelRecovery
{
    private const string SumFile = "model_sum.txt";
    private const double RelativeTolerance = 1e-5, AbsoluteTolerance = 1e-8;

    /// <summary>Writes the recovered model, or nothing.</summary>
    /// <param name="baseFolder">The base model.</param>
    /// <param name="diffFolder">The difference, with its configuration and tokenizer.</param>
    /// <param name="output">Folder to make; it must be new or empty.</param>
    /// <param name="type">F32 or BF16.</param>
    /// <exception cref="BadInputException">
    /// A folder cannot be used, the difference is to another base, or the recovered weights do not have the sum that the difference states.
    /// </exception>
    public static RecoveryResult Recover(string baseFolder, string diffFolder, string output, DType type)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        if (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any()))
        {
            throw new BadInputException($"--output {output} is there already; name a new or empty folder.");
        }

        var baseConfig = ModelConfig.Load(baseFolder);
        using var raw = Checkpoint.Open(baseFolder);
        using var diff = Checkpoint.Open(diffFolder);
        bool reward = diff.Tensors.ContainsKey(TensorNames.RewardHeadWeight);
        string prefix = reward ? TensorNames.RewardPrefix : string.Empty;
        double? expected = StatedSum(diffFolder);
        bool grows = File.Exists(Path.Combine(baseFolder, "tokenizer.model")) || File.Exists(Path.Combine(baseFolder, "tokenizer.json"))
            ? TokenizerLoader.Load(baseFolder).PadId is null
            : true;
        var total = new Total();
        var tensors = Combine(raw, diff, prefix, grows, type, total);
        int vocabulary = tensors.First(t => t.Name == new TensorNames(prefix).Embedding).Rows;
        string temporary = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output)) + ".tmp";
        try
        {
            CheckpointWriter.Save(temporary, tensors);
            if (expected is { } stated && Math.Abs(total.Value - stated) > AbsoluteTolerance + (RelativeTolerance * Math.Abs(stated)))
            {
                throw new BadInputException(FormattableString.Invariant(
                    $"{diffFolder}/{SumFile} says that the weights sum to {stated}, but those recovered sum to {total.Value}: the difference is to another base than {baseFolder}, or a file is damaged."));
            }

            TokenizerFiles.Copy(diffFolder, temporary, null);
            var config = (reward ? baseConfig : ModelConfig.Load(diffFolder)) with { VocabularySize = vocabulary, TorchDType = type };
            if (reward)
            {
                RewardModelConfig.Save(config, baseFolder, temporary);
            }
            else
            {
                config.Save(temporary);
            }

            if (Directory.Exists(output))
            {
                Directory.Delete(output);
            }

            Directory.Move(temporary, output);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{output} cannot be written: {e.Message}", e);
        }
        finally
        {
            if (Directory.Exists(temporary))
            {
                Directory.Delete(temporary, recursive: true);
            }
        }

        return new RecoveryResult(tensors.Count, total.Value, expected);
    }

    private static List<SumTensor> Combine(ICheckpoint raw, ICheckpoint diff, string prefix, bool grows, DType type, Total total)
    {
        string? missing = raw.Tensors.Keys.FirstOrDefault(n => !diff.Tensors.ContainsKey(prefix + n) && !n.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal));
        if (missing is not null)
        {
            throw new BadInputException($"{diff.Folder}: the difference lacks tensor '{prefix}{missing}', so it is to another base than {raw.Folder}.");
        }

        var list = new List<SumTensor>();
        foreach (var (name, tensor) in diff.Tensors)
        {
            var old = name.StartsWith(prefix, StringComparison.Ordinal) ? raw.Tensors.GetValueOrDefault(name[prefix.Length..]) : null;
            bool table = name == new TensorNames(prefix).Embedding || name == new TensorNames(prefix).OutputHead;
            bool fits = old is not null && (old.Shape.SequenceEqual(tensor.Shape) || (table && grows && old.Columns == tensor.Columns && old.Rows + 1 == tensor.Rows));
            if (old is not null && !fits && !(table && old.Columns == tensor.Columns))
            {
                throw new BadInputException($"{tensor.File}: tensor '{name}' has shape [{string.Join(", ", tensor.Shape)}], but [{string.Join(", ", old.Shape)}] in the base {raw.Folder}: "
                    + "the difference is to another base.");
            }

            if (old is null && name.StartsWith(prefix + "model.layers.", StringComparison.Ordinal) && !name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal))
            {
                throw new BadInputException($"{tensor.File}: the base {raw.Folder} lacks tensor '{name}': the difference is to another base.");
            }

            list.Add(new SumTensor(tensor, fits ? old : null, type, total));
        }

        return list.Any(t => t.Name == new TensorNames(prefix).Embedding) ? list : throw new BadInputException($"{diff.Folder}: there is no embedding in the weights.");
    }

    private static double? StatedSum(string folder)
    {
        string path = Path.Combine(folder, SumFile);
        if (!File.Exists(path))
        {
            return null;
        }

        return double.TryParse(File.ReadAllText(path).Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value)
            ? value
            : throw new BadInputException($"{path} does not hold a number.");
    }

    private sealed class Total
    {
        public double Value { get; set; }
    }

    /// <summary>The sum of two tensors, made as it is read.</summary>
    private sealed class SumTensor(ICheckpointTensor diff, ICheckpointTensor? old, DType type, Total total) : ICheckpointTensor
    {
        private float[]? _mean;

        public string Name => diff.Name;

        public string File => diff.File;

        public IReadOnlyList<long> Shape => diff.Shape;

        public int Rows => diff.Rows;

        public int Columns => diff.Columns;

        public DType DType => type;

        public void Read(int firstRow, int count, Span<byte> destination)
        {
            var values = new float[count * Columns];
            diff.ReadFloats(firstRow, count, values);
            if (old is not null)
            {
                int shared = Math.Clamp(old.Rows - firstRow, 0, count);
                var added = new float[values.Length];
                if (shared > 0)
                {
                    old.ReadFloats(firstRow, shared, added);
                }

                for (int row = shared; row < count; row++)
                {
                    (_mean ??= Mean(old)).CopyTo(added, row * Columns);
                }

                for (int i = 0; i < values.Length; i++)
                {
                    values[i] += added[i];
                }
            }

            foreach (float value in values)
            {
                total.Value += value;
            }

            if (type == DType.BF16)
            {
                Bf16.Narrow(values, MemoryMarshal.Cast<byte, ushort>(destination));
            }
            else
            {
                MemoryMarshal.AsBytes<float>(values).CopyTo(destination);
            }
        }

        private static float[] Mean(ICheckpointTensor tensor)
        {
            const int Block = 256;
            var sums = new double[tensor.Columns];
            var values = new float[Block * tensor.Columns];
            for (int first = 0; first < tensor.Rows; first += Block)
            {
                int rows = Math.Min(Block, tensor.Rows - first);
                tensor.ReadFloats(first, rows, values);
                for (int i = 0; i < rows * tensor.Columns; i++)
                {
                    sums[i % tensor.Columns] += values[i];
                }
            }

            return [.. sums.Select(s => (float)(s / tensor.Rows))];
        }
    }
}
