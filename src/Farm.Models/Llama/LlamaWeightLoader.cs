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
    private readonly TensorNames _names = new(prefix);
    private readonly bool _qkvBias = config.AttentionBias != AttentionBias.None;
    private readonly bool _outputBias = config.AttentionBias == AttentionBias.All;

    /// <summary>Loads everything; what was loaded is freed if something fails.</summary>
    public LlamaWeights Load(bool languageHead, int positions, Action<double>? progress)
    {
        bool table = LlamaModel.HasTable(config, type, languageHead);
        var arena = new Arena(backend, ArenaBytes(table, positions));
        var weights = new LlamaWeights(arena, config.Layers);
        try
        {
            var embedding = checkpoint.Tensors[_names.Embedding];
            if (table)
            {
                weights.EmbeddingTable = arena.Take(LlamaModel.TableType(type), config.VocabularySize, _hidden);
                EmbeddingTable.Upload(backend, embedding, weights.EmbeddingTable);
            }

            for (int i = 0; i < config.Layers; i++)
            {
                weights.Layers[i] = Layer(arena, i);
                progress?.Invoke((i + 1.0) / (config.Layers + 1));
            }

            weights.FinalNorm = Vector(arena, _hidden, _names.FinalNorm);
            if (languageHead)
            {
                var head = config.TieWordEmbeddings ? embedding : checkpoint.Tensors[_names.OutputHead];
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

    private LlamaLayer Layer(Arena arena, int layer)
    {
        // Packed weights are disposed by hand until the layer owns them.
        var owned = new List<LinearWeight>(4);
        LinearWeight Pack(LinearLayout layout, params string[] parts)
        {
            owned.Add(backend.PackLinear([.. parts.Select(name => checkpoint.Tensors[name])], type, layout));
            return owned[^1];
        }

        try
        {
            return new LlamaLayer(
                Vector(arena, _hidden, _names.AttentionNorm(layer)),
                Pack(LinearLayout.Concatenated, _names.Query(layer), _names.Key(layer), _names.Value(layer)),
                _qkvBias ? QkvBias(arena, layer) : default,
                Pack(LinearLayout.Concatenated, _names.AttentionOutput(layer)),
                _outputBias ? Vector(arena, _hidden, TensorNames.BiasOf(_names.AttentionOutput(layer))) : default,
                Vector(arena, _hidden, _names.MlpNorm(layer)),
                Pack(LinearLayout.GateUp, _names.Gate(layer), _names.Up(layer)),
                Pack(LinearLayout.Concatenated, _names.Down(layer)));
        }
        catch
        {
            owned.ForEach(weight => weight.Dispose());
            throw;
        }
    }

    private Tensor QkvBias(Arena arena, int layer)
    {
        var bias = arena.Take(DType.F32, 1, _queries + (2 * _keys));
        Upload(TensorNames.BiasOf(_names.Query(layer)), bias.SliceColumns(0, _queries));
        Upload(TensorNames.BiasOf(_names.Key(layer)), bias.SliceColumns(_queries, _keys));
        Upload(TensorNames.BiasOf(_names.Value(layer)), bias.SliceColumns(_queries + _keys, _keys));
        return bias;
    }

    private Tensor Vector(Arena arena, int width, string name)
    {
        var vector = arena.Take(DType.F32, 1, width);
        Upload(name, vector);
        return vector;
    }

    private void Upload(string name, Tensor destination) => backend.Upload<float>(checkpoint.Tensors[name].ReadFloats(), destination);

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
