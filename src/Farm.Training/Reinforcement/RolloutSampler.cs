using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;
using Farm.Models.Tokenizers;
using Farm.Training.Checkpoints;
using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>
/// Samples from a policy in training through the inference engine: its current weights, adapters merged, are packed anew and the <see cref="Generator"/> runs over them. Packing reads every weight
/// once, which is the work of one decode step or two.
/// </summary>
/// <param name="policy">The policy.</param>
/// <param name="tokenizer">Its tokenizer.</param>
public sealed class RolloutSampler(TrainableLlama policy, ITokenizer tokenizer)
{
    /// <summary>Storage of the packed weights: F32 where training products are F32, so that sampler and trainer agree, else BF16.</summary>
    public DType WeightType => policy.Options.DType == DType.F32 ? DType.F32 : DType.BF16;

    /// <summary>What the last call took.</summary>
    public MemoryPlan LastMemory { get; private set; }

    /// <summary>Samples all prompts; results are in their order.</summary>
    /// <exception cref="BadInputException">A prompt or option cannot be used.</exception>
    public IReadOnlyList<PromptResult> Sample(IReadOnlyList<Prompt> prompts, GenerationOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        using var live = new LiveCheckpoint(policy);
        using var model = LlamaModel.Load(policy.Backend, live, policy.Config, WeightType, maxPositions: policy.MaxPositions);
        using var generator = new Generator(model, tokenizer, options);
        var places = prompts.Select((prompt, i) => (prompt.Index, i)).ToDictionary(p => p.Index, p => p.i);
        var results = new PromptResult[prompts.Count];
        generator.Generate(prompts, result => results[places[result.Prompt.Index]] = result, cancellation: cancellation);
        LastMemory = generator.Plan(prompts).Memory;
        return results;
    }

    /// <summary>The tensors of a model as it stands.</summary>
    private sealed class LiveCheckpoint(TrainableLlama model) : ICheckpoint
    {
        public string Folder => "the policy in training";

        public IReadOnlyDictionary<string, ICheckpointTensor> Tensors { get; } = ModelSaver.Tensors(model, Nothing.Instance, DType.F32).ToDictionary(t => t.Name);

        public void Dispose()
        {
        }
    }

    private sealed class Nothing : ICheckpoint
    {
        public static Nothing Instance { get; } = new();

        public string Folder => string.Empty;

        public IReadOnlyDictionary<string, ICheckpointTensor> Tensors { get; } = new Dictionary<string, ICheckpointTensor>();

        public void Dispose()
        {
        }
    }
}
