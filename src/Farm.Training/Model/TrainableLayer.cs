using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Training.Model;

/// <summary>The parameters of one decoder layer.</summary>
internal sealed record TrainableLayer(
    Parameter AttentionNorm, TrainableLinear Qkv, TrainableLinear Output, Parameter MlpNorm, TrainableLinear GateUp, TrainableLinear Down)
{
    public static TrainableLayer[] Create(TrainableLlama model, TensorNames names)
    {
        var config = model.Config;
        int adapters = 0;
        return [.. Enumerable.Range(0, config.Layers).Select(i => new TrainableLayer(
            model.Base[names.AttentionNorm(i)],
            Linear(config.AttentionBias != AttentionBias.None, names.Query(i)),
            Linear(config.AttentionBias == AttentionBias.All, names.AttentionOutput(i)),
            model.Base[names.MlpNorm(i)],
            Linear(false, names.Gate(i)),
            Linear(false, names.Down(i))))];

        TrainableLinear Linear(bool bias, string first)
        {
            var weight = model.Base[first];
            var list = new List<Adapter>();
            foreach (var part in weight.Slot.Parts.Where(p => model.Trained.Contains(LlamaSlots.FactorA(p.Name))))
            {
                list.Add(new Adapter(adapters++, part.First, model.Trained[LlamaSlots.FactorA(part.Name)], model.Trained[LlamaSlots.FactorB(part.Name)]));
            }

            return new TrainableLinear(weight, bias ? model.Base[TensorNames.BiasOf(first)] : null, list);
        }
    }
}
