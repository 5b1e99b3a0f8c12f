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

    /// <summary>Samples responses to prompts; those to one prompt are neighbours.</summary>
    /// <param name="prompts">The prompts.</param>
    /// <param name="firstIndex">Index of the first prompt, which keys its draws; the others follow.</param>
    /// <param name="options">How to sample.</param>
    /// <param name="ids">What the policy reads in a prompt's stead; null for the prompt.</param>
    /// <param name="cancellation">Stops the sampling.</param>
    /// <exception cref="BadInputException">A prompt or option cannot be used.</exception>
    public IReadOnlyList<Rollout> Draw(
        IReadOnlyList<RolloutPrompt> prompts, int firstIndex, GenerationOptions options, Func<RolloutPrompt, int[]>? ids = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        var results = Run([.. prompts.Select((p, i) => new Prompt((firstIndex + i) & int.MaxValue, ids?.Invoke(p) ?? p.Ids))], options, cancellation);
        return
        [
            .. results.Zip(prompts).SelectMany(pair => pair.First.Samples.Select(s => new Rollout
            {
                Prompt = pair.Second,
                Response = s.TokenIds,
                Text = s.Text!,
                Ended = s.FinishReason == FinishReason.Eos,
                SampledLogProbs = s.LogProbs,
            })),
        ];
    }

    // Results are in the order of the prompts.
    private PromptResult[] Run(Prompt[] prompts, GenerationOptions options, CancellationToken cancellation)
    {
        using var live = new LiveCheckpoint(policy);
        using var model = LlamaModel.Load(policy.Backend, live, policy.Config, WeightType, maxPositions: policy.MaxPositions);
        using var generator = new Generator(model, tokenizer, options);
        var places = prompts.Select((prompt, i) => (prompt.Index, i)).ToDictionary(p => p.Index, p => p.i);
        var results = new PromptResult[prompts.Length];
        generator.Generate(prompts, result => results[places[result.Prompt.Index]] = result, cancellation: cancellation);
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
