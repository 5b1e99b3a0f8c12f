using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Models.Checkpoints;

/// <summary>Writes model folders with random weights, for benchmarks: the work of a forward pass does not depend on the values.</summary>
public static class RandomCheckpoint
{
    private const float Deviation = 0.02f;

    /// <summary>
    /// Writes config.json and the weights. Matrices and biases are normal with deviation 0.02, those that write into the residual stream divided by
    /// sqrt(2 * layers) (Radford et al., GPT-2, 2019, section 2.3), so that activations stay near 1 at any depth; norms are 1. The same
    /// seed gives the same files.
    /// </summary>
    /// <param name="folder">The model folder; created if need be.</param>
    /// <param name="config">The architecture.</param>
    /// <param name="seed">Seed of every value.</param>
    /// <param name="type">F32 or BF16.</param>
    /// <param name="maxShardBytes">Most bytes of a shard.</param>
    /// <param name="written">Told the bytes of weights written, now and then; may be null.</param>
    /// <exception cref="BadInputException">The folder cannot be written, e.g. the disk is full.</exception>
    public static void Write(
        string folder,
        ModelConfig config,
        ulong seed = 0,
        DType type = DType.BF16,
        long maxShardBytes = CheckpointWriter.DefaultShardBytes,
        Action<long>? written = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        CheckpointWriter.Save(folder, Tensors(config, TensorLayout.Of(config), seed, type), maxShardBytes, written);
        (config with { TorchDType = type }).Save(folder);
    }

    /// <summary>Writes a reward model: the same decoder with a random head, in AlpacaFarm's layout; see <see cref="Write"/>.</summary>
    /// <exception cref="BadInputException">The folder cannot be written, e.g. the disk is full.</exception>
    public static void WriteReward(
        string folder,
        ModelConfig backbone,
        ulong seed = 0,
        DType type = DType.BF16,
        long maxShardBytes = CheckpointWriter.DefaultShardBytes,
        Action<long>? written = null)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        CheckpointWriter.Save(folder, Tensors(backbone, TensorLayout.OfReward(backbone), seed, type), maxShardBytes, written);
        RewardModelConfig.Save(backbone with { TorchDType = type }, ".", folder);
    }

    private static IEnumerable<ICheckpointTensor> Tensors(ModelConfig config, IReadOnlyList<ExpectedTensor> layout, ulong seed, DType type)
    {
        if (type is not (DType.F32 or DType.BF16))
        {
            throw new BadInputException($"Random weights can be f32 or bf16, not {type.Name()}.");
        }

        float residual = Deviation / MathF.Sqrt(2f * config.Layers);
        return layout.Where(t => t.Required).Select(ICheckpointTensor (t, i) =>
            t.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? Ones(t, type)
            : new RandomTensor(t, type, seed, (uint)i, WritesToResidual(t.Name) ? residual : Deviation));
    }

    private static bool WritesToResidual(string name) =>
        name.EndsWith(".o_proj.weight", StringComparison.Ordinal) || name.EndsWith(".down_proj.weight", StringComparison.Ordinal);

    private static MemoryTensor Ones(ExpectedTensor tensor, DType type)
    {
        byte[] data = new byte[tensor.Count * type.Size()];
        ReadOnlySpan<byte> one = type == DType.F32 ? [0, 0, 0x80, 0x3f] : [0x80, 0x3f];
        for (int i = 0; i < data.Length; i += one.Length)
        {
            one.CopyTo(data.AsSpan(i));
        }

        return new MemoryTensor(tensor.Name, type, tensor.Shape, data);
    }
}
