using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Models.Llama;

/// <summary>Reads a checkpoint of Hugging Face's LLaMA names into packed weights, layer by layer, so no second copy of the model exists.</summary>
internal sealed class LlamaWeightLoader(IBackend backend, ICheckpoint checkpoint, ModelConfig config, DType type, string prefix)
{
    private readonly int _hidden = config.HiddenSize;
    private readonly int _queries = config.QueryWidth;
    private readonly int _keys = config.KeyValueWidth;
    private readonly bool _qkvBias = config.AttentionBias != AttentionBias.None;
    private readonly bool _outputBias = config.AttentionBias == AttentionBias.All;

    /// <summary>Loads everything; what was loaded is freed if something fails.</summary>
    public LlamaWeights Load(bool languageHead, int positions, Action<double>? progress)
    {
        if (config.MlpBias)
        {
            throw new BadInputException($"{checkpoint.Folder}/config.json sets mlp_bias, which is not supported.");
        }

        bool table = LlamaModel.HasTable(config, type, languageHead);
        var arena = new Arena(backend, ArenaBytes(table, positions));
        var weights = new LlamaWeights(arena, config.Layers);
        try
        {
            var embedding = Matrix("model.embed_tokens.weight", config.VocabularySize, _hidden);
            if (table)
            {
                weights.EmbeddingTable = arena.Take(LlamaModel.TableType(type), config.VocabularySize, _hidden);
                RowReader.Upload(backend, embedding, weights.EmbeddingTable);
            }

            for (int i = 0; i < config.Layers; i++)
            {
                weights.Layers[i] = Layer(arena, $"model.layers.{i}.");
                progress?.Invoke((i + 1.0) / (config.Layers + 1));
            }

            weights.FinalNorm = Vector(arena, _hidden, "model.norm.weight");
            if (languageHead)
            {
                var head = config.TieWordEmbeddings ? embedding : Matrix("lm_head.weight", config.VocabularySize, _hidden);
                weights.LanguageHead = backend.PackLinear([head], type);
            }

            FillRope(weights, arena, positions);
            progress?.Invoke(1);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private LlamaLayer Layer(Arena arena, string at)
    {
        // Packed weights are disposed by hand until the layer owns them.
        var owned = new List<LinearWeight>(4);
        LinearWeight Pack(LinearLayout layout, params ICheckpointTensor[] parts)
        {
            owned.Add(backend.PackLinear(parts, type, layout));
            return owned[^1];
        }

        try
        {
            return new LlamaLayer(
                Vector(arena, _hidden, at + "input_layernorm.weight"),
                Pack(LinearLayout.Concatenated,
                    Matrix(at + "self_attn.q_proj.weight", _queries, _hidden),
                    Matrix(at + "self_attn.k_proj.weight", _keys, _hidden),
                    Matrix(at + "self_attn.v_proj.weight", _keys, _hidden)),
                _qkvBias ? QkvBias(arena, at) : default,
                Pack(LinearLayout.Concatenated, Matrix(at + "self_attn.o_proj.weight", _hidden, _queries)),
                _outputBias ? Vector(arena, _hidden, at + "self_attn.o_proj.bias") : default,
                Vector(arena, _hidden, at + "post_attention_layernorm.weight"),
                Pack(LinearLayout.GateUp,
                    Matrix(at + "mlp.gate_proj.weight", config.IntermediateSize, _hidden),
                    Matrix(at + "mlp.up_proj.weight", config.IntermediateSize, _hidden)),
                Pack(LinearLayout.Concatenated, Matrix(at + "mlp.down_proj.weight", _hidden, config.IntermediateSize)));
        }
        catch
        {
            owned.ForEach(weight => weight.Dispose());
            throw;
        }
    }

    private Tensor QkvBias(Arena arena, string at)
    {
        var bias = arena.Take(DType.F32, 1, _queries + (2 * _keys));
        Upload(at + "self_attn.q_proj.bias", bias.SliceColumns(0, _queries));
        Upload(at + "self_attn.k_proj.bias", bias.SliceColumns(_queries, _keys));
        Upload(at + "self_attn.v_proj.bias", bias.SliceColumns(_queries + _keys, _keys));
        return bias;
    }

    private Tensor Vector(Arena arena, int width, string name)
    {
        var vector = arena.Take(DType.F32, 1, width);
        Upload(name, vector);
        return vector;
    }

    private void Upload(string name, Tensor destination) =>
        backend.Upload<float>(RowReader.ReadAll(Matrix(name, 1, destination.Columns)), destination);

    private ICheckpointTensor Matrix(string name, int rows, int columns) => CheckpointTensors.Require(checkpoint, prefix + name, rows, columns);

    private void FillRope(LlamaWeights weights, Arena arena, int positions)
    {
        int half = config.HeadDim / 2;
        weights.Cosine = arena.Take(DType.F32, positions, half);
        weights.Sine = arena.Take(DType.F32, positions, half);
        double[] frequencies = Rope.Frequencies(config);
        float[] cosine = new float[positions * half], sine = new float[positions * half];
        for (int p = 0; p < positions; p++)
        {
            Rope.Row(frequencies, p, cosine.AsSpan(p * half, half), sine.AsSpan(p * half, half));
        }

        backend.Upload<float>(cosine, weights.Cosine);
        backend.Upload<float>(sine, weights.Sine);
    }

    private long ArenaBytes(bool table, int positions)
    {
        long bytes = (1 + (2L * config.Layers)) * Arena.SizeOf(DType.F32, 1, _hidden);
        bytes += _qkvBias ? config.Layers * Arena.SizeOf(DType.F32, 1, _queries + (2 * _keys)) : 0;
        bytes += _outputBias ? config.Layers * Arena.SizeOf(DType.F32, 1, _hidden) : 0;
        bytes += table ? Arena.SizeOf(LlamaModel.TableType(type), config.VocabularySize, _hidden) : 0;
        return bytes + (2 * Arena.SizeOf(DType.F32, positions, config.HeadDim / 2));
    }
}
