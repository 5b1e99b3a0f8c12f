using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Models.Llama;

/// <summary>
/// AlpacaFarm's reward model: a LLaMA decoder under <c>backbone_model.</c> without its language head, and a linear head H to 1 on the
/// final-normed hidden state of the last real token. Tensors: <c>reward_head.weight</c> [1, H] and <c>reward_head.bias</c> [1].
/// </summary>
public sealed class RewardModel : IDisposable
{
    private readonly LinearWeight _head;
    private readonly DeviceMemory _biasMemory;
    private readonly Tensor _bias;

    private RewardModel(LlamaModel backbone, LinearWeight head, DeviceMemory biasMemory)
    {
        Backbone = backbone;
        _head = head;
        _biasMemory = biasMemory;
        _bias = biasMemory.Tensor(DType.F32, 1, 1);
    }

    /// <summary>The decoder.</summary>
    public LlamaModel Backbone { get; }

    /// <summary>Packs the weights of a reward model's checkpoint. The head stays F32 whatever <paramref name="weights"/> is.</summary>
    /// <exception cref="BadInputException">A tensor is missing, has another shape than <paramref name="backbone"/> says, or holds NaN.</exception>
    public static RewardModel Load(IBackend backend, ICheckpoint checkpoint, ModelConfig backbone, DType weights,
        int? maxPositions = null, Action<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(backbone);
        CheckpointValidator.ValidateReward(checkpoint, backbone);
        float[] biasValue = checkpoint.Tensors[TensorNames.RewardHeadBias].ReadFloats();
        LlamaModel? model = null;
        LinearWeight? head = null;
        try
        {
            model = LlamaModel.Load(backend, checkpoint, backbone, weights, TensorNames.RewardPrefix, languageHead: false, maxPositions, progress);
            head = backend.PackLinear([checkpoint.Tensors[TensorNames.RewardHeadWeight]], DType.F32);
            var bias = backend.Allocate(sizeof(float));
            backend.Upload<float>(biasValue, bias.Tensor(DType.F32, 1, 1));
            return new RewardModel(model, head, bias);
        }
        catch
        {
            head?.Dispose();
            model?.Dispose();
            throw;
        }
    }

    /// <summary>Final norm and head over hidden rows [T, H]: rewards, F32 [T, 1].</summary>
    public void Rewards(Tensor hidden, Tensor output) =>
        Backbone.Backend.Linear(hidden, _head, output, _bias,
            normWeight: Backbone.FinalNorm, normEpsilon: (float)Backbone.Config.RmsNormEpsilon);

    /// <inheritdoc/>
    public void Dispose()
    {
        _head.Dispose();
        _biasMemory.Dispose();
        Backbone.Dispose();
    }
}
