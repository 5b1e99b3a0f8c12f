using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Inference.Tests;

/// <summary>A checkpoint in memory with random float32 tensors of a LLaMA's names and shapes.</summary>
internal sealed class MemoryCheckpoint : ICheckpoint
{
    private readonly Dictionary<string, ICheckpointTensor> _tensors = [];
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
            Add(at + "self_attn.q_proj.bias", 1, q, 0.5);
            Add(at + "self_attn.k_proj.bias", 1, kv, 0.5);
            Add(at + "self_attn.v_proj.bias", 1, kv, 0.5);
            Add(at + "self_attn.o_proj.bias", 1, h, 0.5);
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

        _tensors[name] = new MemoryTensor(name, rows, columns, values);
    }

    public void Remove(string name) => _tensors.Remove(name);

    public float[] Values(string name) => ((MemoryTensor)_tensors[name]).Values;

    public void Dispose()
    {
    }

    private sealed record MemoryTensor(string Name, int Rows, int Columns, float[] Values) : ICheckpointTensor
    {
        public DType DType => DType.F32;

        public string File => "memory/model.safetensors";

        public IReadOnlyList<long> Shape => Rows == 1 ? [Columns] : [Rows, Columns];

        public void Read(int firstRow, int count, Span<byte> destination) =>
            MemoryMarshal.AsBytes(Values.AsSpan(firstRow * Columns, count * Columns)).CopyTo(destination);
    }
}
