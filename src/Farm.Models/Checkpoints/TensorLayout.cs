using Farm.Models.Configuration;

namespace Farm.Models.Checkpoints;

/// <summary>A tensor that a checkpoint should hold.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Fields">The fields of config.json that give the shape, for messages.</param>
/// <param name="Required">False if the model does without it.</param>
public sealed record ExpectedTensor(string Name, IReadOnlyList<long> Shape, string Fields, bool Required = true)
{
    /// <summary>Number of elements.</summary>
    public long Count => Shape.Aggregate(1L, (a, b) => a * b);
}

/// <summary>The tensors that a configuration implies, in the order of the forward pass.</summary>
public static class TensorLayout
{
    private const string Vocabulary = "vocab_size", Hidden = "hidden_size", Intermediate = "intermediate_size";
    private const string Heads = "num_attention_heads x head_dim", KeyValueHeads = "num_key_value_heads x head_dim";

    /// <summary>Tensors of a decoder. A tied output head is listed as not required.</summary>
    public static IReadOnlyList<ExpectedTensor> Of(ModelConfig config, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(config);
        var names = new TensorNames(prefix);
        var list = new List<ExpectedTensor>();
        list.Add(new(names.Embedding, [config.VocabularySize, config.HiddenSize], $"{Vocabulary}, {Hidden}"));
        for (int layer = 0; layer < config.Layers; layer++)
        {
            AddLayer(list, config, names, layer);
        }

        list.Add(new(names.FinalNorm, [config.HiddenSize], Hidden));
        list.Add(new(names.OutputHead, [config.VocabularySize, config.HiddenSize], $"{Vocabulary}, {Hidden}", !config.TieWordEmbeddings));
        return list;
    }

    /// <summary>Tensors of an AlpacaFarm reward model; the output head of its decoder is unused and not required.</summary>
    public static IReadOnlyList<ExpectedTensor> OfReward(ModelConfig backbone)
    {
        ArgumentNullException.ThrowIfNull(backbone);
        string outputHead = new TensorNames(TensorNames.RewardPrefix).OutputHead;
        return
        [
            .. Of(backbone, TensorNames.RewardPrefix).Select(t => t.Name == outputHead ? t with { Required = false } : t),
            new ExpectedTensor(TensorNames.RewardHeadWeight, [1, backbone.HiddenSize], Hidden),
            new ExpectedTensor(TensorNames.RewardHeadBias, [1], "a scalar head"),
        ];
    }

    /// <summary>Number of weights of a decoder, a tied output head counted once.</summary>
    public static long ParameterCount(ModelConfig config) => Of(config).Where(t => t.Required).Sum(t => t.Count);

    private static void AddLayer(List<ExpectedTensor> list, ModelConfig config, TensorNames names, int layer)
    {
        bool qkvBias = config.AttentionBias != AttentionBias.None;
        list.Add(new(names.AttentionNorm(layer), [config.HiddenSize], Hidden));
        Linear(names.Query(layer), config.QueryWidth, Heads, config.HiddenSize, Hidden, qkvBias);
        Linear(names.Key(layer), config.KeyValueWidth, KeyValueHeads, config.HiddenSize, Hidden, qkvBias);
        Linear(names.Value(layer), config.KeyValueWidth, KeyValueHeads, config.HiddenSize, Hidden, qkvBias);
        Linear(names.AttentionOutput(layer), config.HiddenSize, Hidden, config.QueryWidth, Heads, config.AttentionBias == AttentionBias.All);
        list.Add(new(names.MlpNorm(layer), [config.HiddenSize], Hidden));
        Linear(names.Gate(layer), config.IntermediateSize, Intermediate, config.HiddenSize, Hidden, config.MlpBias);
        Linear(names.Up(layer), config.IntermediateSize, Intermediate, config.HiddenSize, Hidden, config.MlpBias);
        Linear(names.Down(layer), config.HiddenSize, Hidden, config.IntermediateSize, Intermediate, config.MlpBias);

        void Linear(string weight, int outputs, string outputFields, int inputs, string inputFields, bool bias)
        {
            list.Add(new(weight, [outputs, inputs], $"{outputFields}, {inputFields}"));
            if (bias)
            {
                list.Add(new(TensorNames.BiasOf(weight), [outputs], outputFields));
            }
        }
    }
}
