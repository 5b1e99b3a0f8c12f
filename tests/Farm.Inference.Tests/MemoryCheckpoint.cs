using System.Buffers;
using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Inference.Tests;

/// <summary>A checkpoint in memory with random float32 tensors of a LLaMA's names and shapes.</summary>
internal sealed class MemoryCheckpoint : ICheckpoint
{
    private readonly Dictionary<string, ICheckpointTensor> _tensors = [];
    private readonly Dictionary<string, float[]> _values = [];
    private readonly Random _random;

    public MemoryCheckpoint(ModelConfig config, int seed = 1, string prefix = "", bool rewardHead = false)
    {
        _random = new Random(seed);
        int h = config.HiddenSize, q = config.AttentionHeads * config.HeadDim, kv = config.KeyValueHeads * config.HeadDim, m = config.IntermediateSize;
        Add(prefix + "model.embed_tokens.weight", config.VocabularySize, h, 1.5);
        for (int i = 0; i < config.Layers; i++)
        {
            string at = $"{prefix}model.layers.{i}.";
            Add(at + "input_layernorm.weight", 1, h, 0.3, 1);
            Add(at + "self_attn.q_proj.weight", q, h, 0.5);
            Add(at + "self_attn.k_proj.weight", kv, h, 0.5);
            Add(at + "self_attn.v_proj.weight", kv, h, 0.5);
            Add(at + "self_attn.o_proj.weight", h, q, 0.5);
            if (config.AttentionBias != AttentionBias.None)
            {
                Add(at + "self_attn.q_proj.bias", 1, q, 0.5);
                Add(at + "self_attn.k_proj.bias", 1, kv, 0.5);
                Add(at + "self_attn.v_proj.bias", 1, kv, 0.5);
            }

            if (config.AttentionBias == AttentionBias.All)
            {
                Add(at + "self_attn.o_proj.bias", 1, h, 0.5);
            }

            Add(at + "post_attention_layernorm.weight", 1, h, 0.3, 1);
            Add(at + "mlp.gate_proj.weight", m, h, 0.5);
            Add(at + "mlp.up_proj.weight", m, h, 0.5);
            Add(at + "mlp.down_proj.weight", h, m, 0.5);
        }

        Add(prefix + "model.norm.weight", 1, h, 0.3, 1);
        Add(prefix + "lm_head.weight", config.VocabularySize, h, 0.7);
        if (rewardHead)
        {
            Add("reward_head.weight", 1, h, 1);
            Add("reward_head.bias", 1, 1, 1);
        }
    }

    public string Folder => "memory";

    public IReadOnlyDictionary<string, ICheckpointTensor> Tensors => _tensors;

    public void Add(string name, int rows, int columns, double scale, double mean = 0)
    {
        var values = new float[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(mean + (scale * ((2 * _random.NextDouble()) - 1)));
        }

        IReadOnlyList<long> shape = rows > 1 || name == TensorNames.RewardHeadWeight ? [rows, columns] : [columns];
        _values[name] = values;
        _tensors[name] = new MemoryTensor(name, DType.F32, shape, new FloatBytes(values).Memory);
    }

    public void Remove(string name) => _tensors.Remove(name);

    public float[] Values(string name) => _values[name];

    public void Dispose()
    {
    }

    /// <summary>The bytes of a float array as memory, so that a test can change values after the tensor is made.</summary>
    private sealed class FloatBytes(float[] values) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(values.AsSpan());

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

        public override void Unpin() => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
        }
    }
}
