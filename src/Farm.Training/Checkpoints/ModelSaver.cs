using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Training.Model;

namespace Farm.Training.Checkpoints;

/// <summary>Saves a trained model as a model folder: weights, config.json and tokenizer.</summary>
public static class ModelSaver
{
    /// <summary>
    /// Writes a whole model, adapters merged. A reward model has AlpacaFarm's layout (<c>backbone_model.*</c>, <c>reward_head.*</c>); the language head that it does not use is
    /// carried over from <paramref name="source"/>.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="source">The checkpoint it was loaded from.</param>
    /// <param name="folder">The model folder to write; created if need be.</param>
    /// <param name="type">F32 or BF16 (rounded to nearest even).</param>
    /// <param name="padId">Padding id for config.json; the configuration's own if null.</param>
    /// <exception cref="BadInputException">A file cannot be written.</exception>
    public static void Save(TrainableLlama model, ICheckpoint source, string folder, DType type, int? padId = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(source);
        CheckpointWriter.Save(folder, Tensors(model, source, type));
        var config = model.Config with { TorchDType = type, PadId = padId ?? model.Config.PadId };
        if (model.Options.Head == ModelHead.Reward)
        {
            RewardModelConfig.Save(config, source.Folder, folder);
        }
        else
        {
            config.Save(folder);
        }
    }

    /// <summary>The tensors that <see cref="Save"/> writes.</summary>
    internal static IEnumerable<ICheckpointTensor> Tensors(TrainableLlama model, ICheckpoint source, DType type)
    {
        foreach (string name in model.Base.Names)
        {
            var lora = model.Options.Lora;
            bool adapted = lora is not null && name.EndsWith(".weight", StringComparison.Ordinal) && model.Trained.Contains(LlamaSlots.FactorA(name));
            yield return new DeviceTensorSource(
                model.Backend, name, model.Base.ShapeOf(name), model.Base.ValueOf(name), type,
                adapted ? model.Trained.ValueOf(LlamaSlots.FactorA(name)) : default, adapted ? model.Trained.ValueOf(LlamaSlots.FactorB(name)) : default, lora?.Scale ?? 0);
        }

        if (model.Options.Head != ModelHead.Reward)
        {
            yield break;
        }

        foreach (string name in new[] { TensorNames.RewardHeadWeight, TensorNames.RewardHeadBias }.Where(n => !model.Base.Contains(n)))
        {
            yield return new DeviceTensorSource(model.Backend, name, model.Trained.ShapeOf(name), model.Trained.ValueOf(name), type);
        }

        string head = new TensorNames(string.Empty).OutputHead;
        if (!model.Config.TieWordEmbeddings && source.Tensors.TryGetValue(head, out var unused))
        {
            yield return new RenamedTensor(model.Prefix + head, unused);
        }
    }

    private sealed class RenamedTensor(string name, ICheckpointTensor tensor) : ICheckpointTensor
    {
        public string Name => name;

        public string File => tensor.File;

        public IReadOnlyList<long> Shape => tensor.Shape;

        public int Rows => tensor.Rows;

        public int Columns => tensor.Columns;

        public DType DType => tensor.DType;

        public void Read(int firstRow, int count, Span<byte> destination) => tensor.Read(firstRow, count, destination);
    }
}
