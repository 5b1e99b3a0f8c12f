using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Models.Checkpoints;

/// <summary>Checks a checkpoint's tensors against a configuration before any weight is read.</summary>
public static class CheckpointValidator
{
    /// <summary>
    /// Checks that every tensor of a decoder is there with the shape that config.json implies and a type that can be used, and that no tensor of
    /// the decoder is left over. Stored rotary frequencies, which follow from the configuration, are ignored, and so is whatever lies
    /// outside the decoder.
    /// </summary>
    /// <exception cref="BadInputException">A tensor is missing, left over, or of another shape or type; the message names it and its file.</exception>
    public static void Validate(ICheckpoint checkpoint, ModelConfig config, string prefix = "")
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (prefix.Length == 0 && checkpoint.Tensors.ContainsKey(new TensorNames(TensorNames.RewardPrefix).Embedding))
        {
            throw new BadInputException($"{checkpoint.Folder}: the weights are those of a reward model, which scores text but cannot write it.");
        }

        Check(checkpoint, TensorLayout.Of(config, prefix), prefix);
    }

    /// <summary>Checks the tensors of an AlpacaFarm reward model: the decoder under <c>backbone_model.</c> and the scalar head.</summary>
    /// <exception cref="BadInputException">As for <see cref="Validate"/>.</exception>
    public static void ValidateReward(ICheckpoint checkpoint, ModelConfig backbone)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (!checkpoint.Tensors.ContainsKey(TensorNames.RewardHeadWeight))
        {
            throw new BadInputException($"{checkpoint.Folder}: the weights have no '{TensorNames.RewardHeadWeight}', so this is not a reward model.");
        }

        Check(checkpoint, TensorLayout.OfReward(backbone), TensorNames.RewardPrefix);
    }

    private static void Check(ICheckpoint checkpoint, IReadOnlyList<ExpectedTensor> expected, string prefix)
    {
        foreach (var tensor in expected)
        {
            if (!checkpoint.Tensors.TryGetValue(tensor.Name, out var found))
            {
                if (tensor.Required)
                {
                    throw new BadInputException(Missing(checkpoint, tensor, prefix));
                }

                continue;
            }

            if (!found.Shape.SequenceEqual(tensor.Shape))
            {
                throw new BadInputException($"{found.File}: tensor '{tensor.Name}' has shape {FileTensor.Describe(found.Shape)}, "
                    + $"but config.json says {FileTensor.Describe(tensor.Shape)} ({tensor.Fields}).");
            }

            // Asking for the type of a tensor that cannot be weights throws the sentence that says so; the rest of the types are no weights either.
            if (found.DType is not (DType.F32 or DType.F16 or DType.BF16))
            {
                throw new BadInputException($"{found.File}: tensor '{tensor.Name}' is stored as {found.StoredType}, but weights must be F32, F16 or BF16.");
            }
        }

        var known = expected.Select(t => t.Name).ToHashSet();
        string decoder = prefix + "model.";
        string? extra = checkpoint.Tensors.Keys.FirstOrDefault(name => name.StartsWith(decoder, StringComparison.Ordinal)
            && !known.Contains(name) && !name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal));
        if (extra is not null)
        {
            throw new BadInputException($"{checkpoint.Tensors[extra].File}: tensor '{extra}' has no place in the model that config.json describes.");
        }
    }

    private static string Missing(ICheckpoint checkpoint, ExpectedTensor tensor, string prefix) =>
        tensor.Name == new TensorNames(prefix).OutputHead
            ? $"{checkpoint.Folder}: the weights lack '{tensor.Name}', and config.json does not tie it to the embedding (tie_word_embeddings)."
            : $"{checkpoint.Folder}: the weights lack tensor '{tensor.Name}' of shape {FileTensor.Describe(tensor.Shape)}, which config.json implies.";
}
