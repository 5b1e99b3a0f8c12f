using Farm.Core;
using Farm.Models.Configuration;
using Farm.Training.Model;
using Farm.Training.Reinforcement;

namespace Farm.Training.Methods;

/// <summary>What a run of Quark takes of the device's memory, from the shapes alone.</summary>
public static class QuarkMemoryPlan
{
    /// <summary>Plans a run.</summary>
    /// <param name="policy">Shape of policy and reference, its vocabulary with the reward tokens.</param>
    /// <param name="reward">Shape of the reward model's backbone.</param>
    /// <param name="type">F32 or BF16 products.</param>
    /// <param name="recompute">Whether layers keep only their inputs.</param>
    /// <param name="options">Batch settings.</param>
    public static PpoMemoryPlan For(ModelConfig policy, ModelConfig reward, DType type, bool recompute, QuarkOptions options)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(options);
        int rows = checked(options.StepMicroBatch * (options.QueryLength + 1 + options.ResponseLength));
        long parameters = PpoMemoryPlan.Parameters(policy, languageHead: true);
        var (trained, frozen) = PpoMemoryPlan.ParameterBytes(type);
        return new PpoMemoryPlan(
        [
            ("policy, gradients and moments", parameters * trained),
            // Its new rows are drawn, so its parameters are laid out as the policy's.
            ("reference", parameters * frozen),
            ("activations of a pass, policy's and reference's", 2 * TrainingWorkspace.BytesFor(policy, rows, recompute, null)),
            ("logits of a block of rows, policy's and reference's", 2 * Arena.SizeOf(DType.F32, QuarkTrainer.LogitRows(policy.VocabularySize, rows), policy.VocabularySize)),
            .. PpoMemoryPlan.Inference(policy, reward, null, type, options.RolloutMicroBatch, options.QueryLength + 1, options.ResponseLength),
        ]);
    }
}
