using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Training.Model;

/// <content>Filling the parameters.</content>
public sealed partial class TrainableLlama
{
    private const int BlockBytes = 1 << 22;

    /// <summary>
    /// Loads a decoder's checkpoint. A reward head starts as PyTorch's linear does, uniform in ±1/sqrt(H) with bias 0; adapters start with A uniform in
    /// ±1/sqrt(in) and B zero, so that they change nothing.
    /// </summary>
    /// <exception cref="BadInputException">The checkpoint does not fit its configuration or holds NaN, or an option is wrong.</exception>
    public static TrainableLlama Load(ITrainingBackend backend, ICheckpoint checkpoint, ModelConfig config, TrainableLlamaOptions options)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(options);
        if (options.DType is not (DType.F32 or DType.BF16))
        {
            throw new BadInputException($"--dtype must be f32 or bf16 for training, not {options.DType.Name()}.");
        }

        if (config.MlpBias)
        {
            throw new BadInputException($"{checkpoint.Folder}/config.json sets mlp_bias, which is not supported.");
        }

        if (options.FromReward)
        {
            CheckpointValidator.ValidateReward(checkpoint, config);
        }
        else
        {
            CheckpointValidator.Validate(checkpoint, config);
        }

        string source = options.FromReward ? TensorNames.RewardPrefix : string.Empty;
        var sized = config with { VocabularySize = options.VocabularySize ?? config.VocabularySize };
        var model = new TrainableLlama(backend, sized, options, options.Head == ModelHead.Reward ? TensorNames.RewardPrefix : string.Empty);
        try
        {
            foreach (string name in model.Base.Names.Where(n => n.StartsWith(model.Prefix + "model.", StringComparison.Ordinal) || n == new TensorNames(model.Prefix).OutputHead))
            {
                Read(backend, checkpoint.Tensors[source + name[model.Prefix.Length..]], model.Base.ValueOf(name));
            }

            model.InitialiseTrained();
            model.Base.RefreshCopies();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Draws the parameters that no checkpoint has.</summary>
    private void InitialiseTrained()
    {
        uint tensor = 0;
        foreach (var parameter in Trained.Parameters)
        {
            string name = parameter.Slot.Parts[0].Name;
            if ((name == TensorNames.RewardHeadWeight && !Options.ZeroHead) || name.EndsWith(".lora_A.weight", StringComparison.Ordinal))
            {
                Uniform(parameter, 1 / Math.Sqrt(parameter.Slot.Columns), tensor++);
            }
        }
    }

    private void Uniform(Parameter parameter, double bound, uint tensor)
    {
        var values = new float[parameter.Slot.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(bound * ((2 * Philox.Uniform(Options.Seed, (uint)i, tensor, 0, RandomStreams.Initialisation)) - 1));
        }

        Backend.Upload<float>(values, parameter.Value);
    }

    /// <summary>Copies the rows that both have; rows the source lacks become the mean of all its rows (spec of AlpacaFarm's embedding resize).</summary>
    private static void Read(ITrainingBackend backend, ICheckpointTensor source, Tensor destination)
    {
        int columns = source.Columns, block = Math.Clamp(BlockBytes / (Math.Max(columns, 1) * sizeof(float)), 1, Math.Max(source.Rows, 1));
        var values = new float[block * columns];
        var sums = destination.Rows > source.Rows ? new double[columns] : [];
        for (int first = 0; first < source.Rows; first += block)
        {
            int rows = Math.Min(block, source.Rows - first), used = Math.Clamp(destination.Rows - first, 0, rows);
            source.ReadFloats(first, rows, values);
            if (used > 0)
            {
                Store(backend, values.AsSpan(0, used * columns), destination.SliceRows(first, used));
            }

            for (int i = 0; sums.Length > 0 && i < rows * columns; i++)
            {
                sums[i % columns] += values[i];
            }
        }

        for (int row = source.Rows; row < destination.Rows; row++)
        {
            Store(backend, [.. sums.Select(s => (float)(s / source.Rows))], destination.SliceRows(row, 1));
        }
    }

    private static void Store(ITrainingBackend backend, ReadOnlySpan<float> values, Tensor destination)
    {
        if (destination.DType == DType.F32)
        {
            backend.Upload(values, destination);
            return;
        }

        var narrow = new ushort[values.Length];
        Bf16.Narrow(values, narrow);
        backend.Upload<ushort>(narrow, destination);
    }
}

/// <summary>BF16 on the host.</summary>
internal static class Bf16
{
    /// <summary>Rounds to nearest even; NaN stays NaN.</summary>
    public static void Narrow(ReadOnlySpan<float> values, Span<ushort> narrow)
    {
        var bits = MemoryMarshal.Cast<float, uint>(values);
        for (int i = 0; i < bits.Length; i++)
        {
            narrow[i] = float.IsNaN(values[i]) ? (ushort)((bits[i] >> 16) | 0x40) : (ushort)((bits[i] + 0x7FFF + ((bits[i] >> 16) & 1)) >> 16);
        }
    }

    /// <summary>Widens exactly.</summary>
    public static void Widen(ReadOnlySpan<ushort> narrow, Span<float> values)
    {
        for (int i = 0; i < narrow.Length; i++)
        {
            values[i] = BitConverter.UInt32BitsToSingle((uint)narrow[i] << 16);
        }
    }
}
