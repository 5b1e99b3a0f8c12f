using Farm.Core;
using Farm.Models.Tokenizers;
using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>
/// The four networks of PPO. In the full layout each has weights of its own; with LoRA one frozen base carries the policy's and the value's adapters, and the reference is the base with the adapters left out.
/// </summary>
public sealed class PpoNetworks : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    /// <summary>Puts networks together; all are the caller's to dispose, or to hand over with <see cref="Own"/>.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="value">The value network, with a scalar head.</param>
    /// <param name="reference">The reference; null for the policy's base without its adapters.</param>
    /// <param name="tokenizer">The tokenizer of all.</param>
    /// <param name="padId">The padding id.</param>
    public PpoNetworks(TrainableLlama policy, TrainableLlama value, TrainableLlama? reference, ITokenizer tokenizer, int padId)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (reference is null && policy.Options.Lora is null)
        {
            throw new ArgumentException("without adapters the reference is a network of its own", nameof(reference));
        }

        if (policy.Options.Lora?.Dropout > 0 || value.Options.Lora?.Dropout > 0)
        {
            throw new BadInputException("--lora-dropout must be 0 in learning from feedback: log-probabilities of two passes must agree.");
        }

        (Policy, Value, Reference, Tokenizer, PadId) = (policy, value, reference, tokenizer, padId);
    }

    /// <summary>The policy.</summary>
    public TrainableLlama Policy { get; }

    /// <summary>The value network.</summary>
    public TrainableLlama Value { get; }

    /// <summary>The reference, null where it is the policy's base.</summary>
    public TrainableLlama? Reference { get; }

    /// <summary>The tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The padding id.</summary>
    public int PadId { get; }

    /// <summary>Bytes of all parameters, gradients and moments.</summary>
    public long Bytes => Policy.Bytes + Value.Bytes + (Reference?.Bytes ?? 0);

    /// <summary>Hands something over to be disposed with this.</summary>
    public T Own<T>(T item)
        where T : IDisposable
    {
        _owned.Add(item);
        return item;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }
    }
}
