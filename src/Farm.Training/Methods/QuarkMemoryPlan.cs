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
    /// <param name="backend">The device, whose operations may take memory of their own; null counts none.</param>
    /// <param name="longestPrompt">Most tokens of any prompt; the query length unless given.</param>
    public static PpoMemoryPlan For(ModelConfig policy, ModelConfig reward, DType type, bool recompute, QuarkOptions options, IBackend? backend = null, int? longestPrompt = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(options);
        int rows = checked(options.StepMicroBatch * (options.QueryLength + 1 + options.ResponseLength));
        long parameters = PpoMemoryPlan.Parameters(policy, languageHead: true);
        var (trained, frozen) = PpoMemoryPlan.ParameterBytes(type);
        int block = QuarkTrainer.LogitRows(policy.VocabularySize, rows);
        var drawn = new SampledShape(Math.Min(options.RolloutMicroBatch, options.RolloutBatchSize), options.RolloutBatchSize, (longestPrompt ?? options.QueryLength) + 1, options.ResponseLength);
        return new PpoMemoryPlan(
        [
            ("policy, gradients and moments", parameters * trained),
            // Its new rows are drawn, so its parameters are laid out as the policy's.
            ("reference", parameters * frozen),
            ("activations of a pass, policy's and reference's", 2 * TrainingWorkspace.BytesFor(policy, rows, recompute, null)),
            ("logits of a block of rows, policy's and reference's", 2 * Arena.SizeOf(DType.F32, block, policy.VocabularySize)),
            .. PpoMemoryPlan.Inference(policy, reward, null, type, drawn, options.QueryLength + 1, backend, PassScratch.OfTraining(backend, policy, rows, type, null, language: true, parameters, block)),
        ]);
    }
}
