using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Training.Model;

/// <summary>The parameters of a decoder and what may stand on it.</summary>
internal sealed class LlamaSlots(ModelConfig config, string prefix)
{
    private readonly TensorNames _names = new(prefix);

    public TensorNames Names => _names;

    /// <summary>The decoder's parameters; the language head is left out where it is tied or not used.</summary>
    public List<Slot> Decoder(bool languageHead)
    {
        int hidden = config.HiddenSize, query = config.QueryWidth, keys = config.KeyValueWidth;
        var slots = new List<Slot> { Slot.Matrix(hidden, (_names.Embedding, config.VocabularySize)) };
        for (int i = 0; i < config.Layers; i++)
        {
            slots.Add(Slot.Vector((_names.AttentionNorm(i), hidden)));
            slots.Add(Slot.Matrix(hidden, (_names.Query(i), query), (_names.Key(i), keys), (_names.Value(i), keys)));
            if (config.AttentionBias != AttentionBias.None)
            {
                slots.Add(Slot.Vector(
                    (TensorNames.BiasOf(_names.Query(i)), query), (TensorNames.BiasOf(_names.Key(i)), keys), (TensorNames.BiasOf(_names.Value(i)), keys)));
            }

            slots.Add(Slot.Matrix(query, (_names.AttentionOutput(i), hidden)));
            if (config.AttentionBias == AttentionBias.All)
            {
                slots.Add(Slot.Vector((TensorNames.BiasOf(_names.AttentionOutput(i)), hidden)));
            }

            slots.Add(Slot.Vector((_names.MlpNorm(i), hidden)));
            slots.Add(Slot.Matrix(hidden, (_names.Gate(i), config.IntermediateSize), (_names.Up(i), config.IntermediateSize)));
            slots.Add(Slot.Matrix(config.IntermediateSize, (_names.Down(i), hidden)));
        }

        slots.Add(Slot.Vector((_names.FinalNorm, hidden)));
        if (languageHead && !config.TieWordEmbeddings)
        {
            slots.Add(Slot.Matrix(hidden, (_names.OutputHead, config.VocabularySize)));
        }

        return slots;
    }

    /// <summary>The scalar head.</summary>
    public IEnumerable<Slot> RewardHead() =>
        [Slot.Matrix(config.HiddenSize, (TensorNames.RewardHeadWeight, 1)), Slot.Vector((TensorNames.RewardHeadBias, 1))];

    /// <summary>Weights of the linears of all layers.</summary>
    public IEnumerable<string> LinearWeights() => Enumerable.Range(0, config.Layers).SelectMany(i => new[]
    {
        _names.Query(i), _names.Key(i), _names.Value(i), _names.AttentionOutput(i), _names.Gate(i), _names.Up(i), _names.Down(i),
    });

    /// <summary>The two factors of an adapter on a weight [outputs, inputs], named by the weight.</summary>
    public static IEnumerable<Slot> Adapter(string weight, int rank, int outputs, int inputs) =>
        [Slot.Matrix(inputs, (FactorA(weight), rank)), Slot.Matrix(rank, (FactorB(weight), outputs))];

    public static string FactorA(string weight) => Module(weight) + ".lora_A.weight";

    public static string FactorB(string weight) => Module(weight) + ".lora_B.weight";

    public static string Module(string weight) => weight[..^".weight".Length];
}
