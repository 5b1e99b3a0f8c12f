using System.Globalization;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Training.Model;

namespace Farm.Training.Reinforcement;

/// <summary>Where the networks' weights lie.</summary>
public enum PpoLayout
{
    /// <summary>Policy, value, reference and reward model are separate networks.</summary>
    Full = 0,

    /// <summary>One frozen base; policy and value are adapters on it, the reference is the base alone, and so is the reward model with adapters of its own where it was trained so.</summary>
    Lora = 1,
}

/// <summary>
/// What a PPO run takes of the device's memory, from the shapes alone. A trained parameter takes 16 bytes: value, gradient and two moments in F32 (2 more for the BF16 copy of a matrix); a frozen one 4 or 2. The sampler packs the
/// policy once more; keys and values are those of the samples drawn at a time.
/// </summary>
/// <param name="Items">Each part and its bytes.</param>
public sealed record PpoMemoryPlan(IReadOnlyList<(string Name, long Bytes)> Items)
{
    /// <summary>Bytes of a trained F32 parameter: value, gradient and two moments.</summary>
    internal const long Trained = 16;

    /// <summary>The part that the device's operations take beside everything else.</summary>
    private const string OperationsPart = "operations of the device";

    /// <summary>All of it.</summary>
    public long Total => Items.Sum(i => i.Bytes);

    /// <summary>Networks and workspaces alone, without sampler, reward model and the device's operations.</summary>
    public long Networks => Items.Where(i => !i.Name.StartsWith("sampler", StringComparison.Ordinal) && !i.Name.StartsWith("reward model", StringComparison.Ordinal) && i.Name != OperationsPart).Sum(i => i.Bytes);

    /// <summary>What the device's operations take beside everything else; 0 where they take nothing.</summary>
    public long Scratch => Items.Where(i => i.Name == OperationsPart).Sum(i => i.Bytes);

    /// <summary>Plans a run.</summary>
    /// <param name="policy">Shape of policy and reference.</param>
    /// <param name="value">Shape of the value network (full layout).</param>
    /// <param name="reward">Shape of the reward model's backbone.</param>
    /// <param name="layout">Where the weights lie.</param>
    /// <param name="lora">Adapters (lora layout).</param>
    /// <param name="sharedReward">True where the reward model is adapters on the base too.</param>
    /// <param name="type">F32 or BF16 products.</param>
    /// <param name="recompute">Whether layers keep only their inputs.</param>
    /// <param name="options">Batch settings.</param>
    /// <param name="backend">The device, whose operations may take memory of their own; null counts none.</param>
    /// <param name="evaluations">Prompts of an evaluation.</param>
    /// <param name="longestPrompt">Most tokens of any prompt; the query length unless given.</param>
    public static PpoMemoryPlan For(
        ModelConfig policy, ModelConfig value, ModelConfig reward, PpoLayout layout, LoraOptions? lora, bool sharedReward, DType type, bool recompute, PpoOptions options, IBackend? backend = null,
        int evaluations = 0, int? longestPrompt = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(value);
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(options);
        int rows = checked(options.StepMicroBatch * (options.QueryLength + options.ResponseLength));
        var (trained, frozen) = ParameterBytes(type);
        var items = new List<(string, long)>();
        if (layout == PpoLayout.Full)
        {
            items.Add(("policy, gradients and moments", Parameters(policy, languageHead: true) * trained));
            items.Add(("value network, gradients and moments", Parameters(value, languageHead: false) * trained));
            items.Add(("reference", Parameters(policy, languageHead: true) * frozen));
        }
        else
        {
            long adapters = Adapters(policy, lora ?? throw new ArgumentException("the lora layout has adapters", nameof(lora)));
            items.Add(("base", Parameters(policy, languageHead: true) * frozen));
            items.Add(("policy's adapters, gradients and moments", adapters * Trained));
            items.Add(("value network's adapters, gradients and moments", (adapters + policy.HiddenSize + 1) * Trained));
        }

        long workspace = TrainingWorkspace.BytesFor(policy, rows, recompute, lora);
        items.Add(("activations of a pass", layout == PpoLayout.Lora || SameShape(policy, value) ? workspace : workspace + TrainingWorkspace.BytesFor(value, rows, recompute, null)));
        var drawn = SampledShape.Of(options, evaluations, longestPrompt);
        long policyScratch = PassScratch.OfTraining(backend, policy, rows, type, lora, language: true, Parameters(policy, languageHead: true));
        long valueScratch = PassScratch.OfTraining(backend, layout == PpoLayout.Lora ? policy : value, rows, type, lora, language: false, Parameters(value, languageHead: false));
        return new PpoMemoryPlan([.. items, .. Inference(policy, reward, sharedReward ? lora : null, type, drawn, options.QueryLength, backend, Math.Max(policyScratch, valueScratch))]);
    }

    /// <summary>Bytes of a trained and of a frozen parameter.</summary>
    internal static (long Trained, long Frozen) ParameterBytes(DType type) => type == DType.BF16 ? (Trained + 2, 2) : (Trained, 4);

    /// <summary>What sampling and scoring take beside the networks.</summary>
    /// <param name="policy">Shape of the policy.</param>
    /// <param name="reward">Shape of the reward model's backbone.</param>
    /// <param name="sharedReward">The reward model's adapters where it is those on the policy's base.</param>
    /// <param name="type">F32 or BF16 products.</param>
    /// <param name="drawn">Responses and their lengths.</param>
    /// <param name="queryLength">Most tokens of a prompt that the networks have room for.</param>
    /// <param name="backend">The device; may be null.</param>
    /// <param name="scratch">What its operations take in training.</param>
    internal static IEnumerable<(string Name, long Bytes)> Inference(ModelConfig policy, ModelConfig reward, LoraOptions? sharedReward, DType type, SampledShape drawn, int queryLength, IBackend? backend, long scratch)
    {
        var weights = type == DType.F32 ? DType.F32 : DType.BF16;
        int scoringRows = sharedReward is null ? ScoringRows : SharedScoringRows(queryLength + drawn.ResponseLength), rows = Math.Max(drawn.Width, Math.Min(GenerationOptions.DefaultPrefillRows, drawn.PrefillRows));
        yield return ("reward model", sharedReward is not null
            ? (Adapters(policy, sharedReward) * sizeof(float)) + TrainingWorkspace.BytesFor(policy, scoringRows, recompute: true, sharedReward)
            : MemoryPlan.WeightBytes(reward, weights, languageHead: false) + ScoringKvBytes(reward, weights, drawn with { QueryLength = queryLength }) + LlamaWorkspace.BytesFor(reward, ScoringRows, 0));
        yield return ("sampler's weights", MemoryPlan.WeightBytes(policy, weights, maxPositions: queryLength + drawn.ResponseLength));
        yield return ("sampler's keys and values", drawn.Pages * KvPool.PageTokens * MemoryPlan.KvBytesPerToken(policy, weights));
        yield return ("sampler's activations", LlamaWorkspace.BytesFor(policy, rows, drawn.Width));
        long most = Math.Max(scratch, Math.Max(
            PassScratch.OfInference(backend, policy, rows, drawn.Width, weights),
            sharedReward is null ? PassScratch.OfInference(backend, reward, ScoringRows, 0, weights) : PassScratch.OfTraining(backend, policy, scoringRows, type, sharedReward, language: false, trained: 0, backward: false)));
        if (most > 0)
        {
            yield return (OperationsPart, most);
        }
    }

    /// <summary>Rows of a pass of a reward model that is adapters on the policy's base: any sequence, and as many more as fill a pass.</summary>
    /// <param name="longest">Most tokens of a sequence.</param>
    public static int SharedScoringRows(int longest) => ScoringRows + longest;

    /// <summary>Rows of a pass of the reward model.</summary>
    public const int ScoringRows = 512;

    /// <summary>Keys and values that the reward model is given.</summary>
    public static long ScoringKvBytes(ModelConfig reward, DType weights, PpoOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return ScoringKvBytes(reward, weights, SampledShape.Of(options));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join(Environment.NewLine, Items.Append(("planned memory", Total))
        .Select(i => string.Create(CultureInfo.InvariantCulture, $"{i.Item1,-50} {i.Item2 / 1073741824.0,10:F3} GiB")));

    // As much as a scorer ever reserves; twice the responses of a draw where that is less, since text that is tokenised anew may be longer.
    private static long ScoringKvBytes(ModelConfig reward, DType weights, SampledShape drawn) => KvPool.PageTokens * MemoryPlan.KvBytesPerToken(reward, weights)
        * Math.Min(Scorer.PagesFor(drawn.QueryLength, drawn.ResponseLength, ScoringRows), 2L * drawn.Width * (KvPool.PagesFor(drawn.QueryLength) + KvPool.PagesFor(drawn.ResponseLength)));

    /// <summary>Parameters of a decoder.</summary>
    internal static long Parameters(ModelConfig config, bool languageHead)
    {
        long all = TensorLayout.ParameterCount(config), head = (long)config.VocabularySize * config.HiddenSize;
        return languageHead || config.TieWordEmbeddings ? all : all - head;
    }

    /// <summary>Parameters of its adapters.</summary>
    internal static long Adapters(ModelConfig config, LoraOptions lora)
    {
        var slots = new LlamaSlots(config, string.Empty);
        var shapes = slots.Decoder(languageHead: true).SelectMany(s => s.Parts.Select(p => (p.Name, p.Count, s.Columns))).ToDictionary(p => p.Name);
        return slots.LinearWeights().Where(w => lora.Matches(LlamaSlots.Module(w))).Sum(w => (long)lora.Rank * (shapes[w].Count + shapes[w].Columns));
    }

    /// <summary>True where passes of both models take the same memory.</summary>
    internal static bool SameShape(ModelConfig a, ModelConfig b) =>
        (a.HiddenSize, a.IntermediateSize, a.Layers, a.AttentionHeads, a.KeyValueHeads, a.HeadDim) == (b.HiddenSize, b.IntermediateSize, b.Layers, b.AttentionHeads, b.KeyValueHeads, b.HeadDim);
}
