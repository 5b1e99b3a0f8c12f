using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Models.Llama;

/// <summary>
/// A LLaMA-family decoder (Touvron et al., 2023): pre-norm layers of grouped-query attention with rotary positions and a SwiGLU MLP.
/// Written once over <see cref="IBackend"/>; <see cref="Forward"/> reads top to bottom and allocates nothing.
/// </summary>
public sealed class LlamaModel : IDisposable
{
    private readonly LlamaWeights _weights;
    private readonly float _scale;

    private LlamaModel(IBackend backend, ModelConfig config, LlamaWeights weights, DType weightType)
    {
        Backend = backend;
        Config = config;
        WeightType = weightType;
        _weights = weights;
        _scale = 1f / MathF.Sqrt(config.HeadDim);
    }

    /// <summary>The device the weights lie on.</summary>
    public IBackend Backend { get; }

    /// <summary>Shape of the model.</summary>
    public ModelConfig Config { get; }

    /// <summary>Storage of the weights.</summary>
    public DType WeightType { get; }

    /// <summary>Positions of the rotary tables: the longest sequence this model takes.</summary>
    public int MaxPositions => _weights.Cosine.Rows;

    /// <summary>Bytes of all weights and tables.</summary>
    public long WeightBytes => _weights.Bytes;

    /// <summary>Bytes that one decode step streams: the layers and the language head.</summary>
    public long StepBytes => _weights.StepBytes;

    /// <summary>Storage of keys and values that goes with the weights: F32 with F32, else BF16.</summary>
    public DType DefaultKvType => WeightType == DType.F32 ? DType.F32 : DType.BF16;

    internal Tensor FinalNorm => _weights.FinalNorm;

    /// <summary>Packs the weights of a checkpoint.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="checkpoint">The model folder's tensors.</param>
    /// <param name="config">The shape they must have.</param>
    /// <param name="weights">F32, BF16, or I8 (layers and language head; the embedding table is then BF16).</param>
    /// <param name="prefix">What stands before <c>model.embed_tokens.weight</c> in the tensor names, e.g. <c>backbone_model.</c></param>
    /// <param name="languageHead">False leaves the language head out, for a backbone whose tensors the caller has checked; <see cref="Logits"/> then throws.</param>
    /// <param name="maxPositions">A limit below <see cref="ModelConfig.MaxPositionEmbeddings"/>, to keep the rotary tables small.</param>
    /// <param name="progress">Told the share of layers packed so far, 0 to 1.</param>
    /// <exception cref="BadInputException">A tensor is missing, has another shape than the configuration says, or holds NaN.</exception>
    public static LlamaModel Load(IBackend backend, ICheckpoint checkpoint, ModelConfig config, DType weights, string prefix = "",
        bool languageHead = true, int? maxPositions = null, Action<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(config);
        if (weights is not (DType.F32 or DType.BF16 or DType.I8))
        {
            throw new BadInputException($"--dtype must be f32, bf16 or int8, not {weights.Name()}.");
        }

        if (config.MlpBias)
        {
            throw new BadInputException($"{checkpoint.Folder}/config.json sets mlp_bias, which is not supported.");
        }

        // A reward model has been checked as a whole, and its unused language head may be absent.
        if (languageHead)
        {
            CheckpointValidator.Validate(checkpoint, config, prefix);
        }

        int positions = Math.Clamp(maxPositions ?? int.MaxValue, 1, config.MaxPositionEmbeddings);
        var loader = new LlamaWeightLoader(backend, checkpoint, config, weights, prefix);
        return new LlamaModel(backend, config, loader.Load(languageHead, positions, progress), weights);
    }

    /// <summary>A workspace for passes of up to <paramref name="maxRows"/> rows and logits of up to <paramref name="maxLogitRows"/> rows.</summary>
    public LlamaWorkspace CreateWorkspace(int maxRows, int maxLogitRows) => new(Backend, Config, maxRows, maxLogitRows);

    /// <summary>Shape of a key/value pool for this model.</summary>
    public KvShape KvShape(DType? type = null) => new(Config.Layers, Config.KeyValueHeads, Config.HeadDim, type ?? DefaultKvType);

    /// <summary>
    /// Runs the decoder over the batch's rows, appending their keys and values to <paramref name="pool"/>. Returns the residual stream
    /// after the last layer, F32 [T, H] in the workspace, before the final norm: <see cref="Logits"/> and the reward head apply that.
    /// </summary>
    /// <exception cref="ArgumentException">The batch is empty or larger than the workspace.</exception>
    public Tensor Forward(ForwardBatch batch, KvPool pool, LlamaWorkspace workspace)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(workspace);
        int rows = batch.Rows;
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1, nameof(batch));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, workspace.MaxRows, nameof(batch));

        float epsilon = (float)Config.RmsNormEpsilon;
        int queryWidth = Config.QueryWidth;
        var ids = Upload(batch.TokenIds, workspace.Ids, rows);
        var positions = Upload(batch.Positions, workspace.Positions, rows);
        var slots = Upload(batch.Slots, workspace.Slots, rows);
        var hidden = workspace.Hidden.SliceRows(0, rows);
        var qkv = workspace.Qkv.SliceRows(0, rows);
        var attention = workspace.Attention.SliceRows(0, rows);
        var mlp = workspace.Mlp.SliceRows(0, rows);

        Embed(ids, hidden);
        for (int i = 0; i < _weights.Layers.Length; i++)
        {
            var layer = _weights.Layers[i];
            Backend.Linear(hidden, layer.Qkv, qkv, layer.QkvBias, normWeight: layer.AttentionNorm, normEpsilon: epsilon);
            Backend.RopeAppendKv(qkv, Config.AttentionHeads, Config.KeyValueHeads, positions, _weights.Cosine, _weights.Sine, pool, i, slots);
            Backend.Attention(qkv.SliceColumns(0, queryWidth), Config.AttentionHeads, pool, i, batch.Plan, _scale, attention);
            Backend.Linear(attention, layer.Output, hidden, layer.OutputBias, accumulate: true);
            Backend.Linear(hidden, layer.GateUp, mlp, normWeight: layer.MlpNorm, normEpsilon: epsilon);
            Backend.Linear(mlp, layer.Down, hidden, accumulate: true);
        }

        return hidden;
    }

    /// <summary>Final norm and language head over rows of <see cref="Forward"/>'s result: F32 [rows, V] in the workspace.</summary>
    /// <exception cref="InvalidOperationException">The model was loaded without its language head.</exception>
    public Tensor Logits(Tensor hidden, LlamaWorkspace workspace)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        var head = _weights.LanguageHead ?? throw new InvalidOperationException("The model was loaded without its language head.");
        var logits = workspace.Logits.SliceRows(0, hidden.Rows);
        Backend.Linear(hidden, head, logits, normWeight: _weights.FinalNorm, normEpsilon: (float)Config.RmsNormEpsilon);
        return logits;
    }

    /// <inheritdoc/>
    public void Dispose() => _weights.Dispose();

    /// <summary>Whether the embedding is a table of its own; a tied float model looks it up in its packed language head.</summary>
    internal static bool HasTable(ModelConfig config, DType weights, bool languageHead) =>
        !config.TieWordEmbeddings || !languageHead || weights == DType.I8;

    internal static DType TableType(DType weights) => weights == DType.F32 ? DType.F32 : DType.BF16;

    private void Embed(Tensor ids, Tensor hidden)
    {
        if (_weights.EmbeddingTable.IsNone)
        {
            Backend.Embedding(ids, _weights.LanguageHead!, hidden);
        }
        else
        {
            Backend.Embedding(ids, _weights.EmbeddingTable, hidden);
        }
    }

    private Tensor Upload(int[] source, Tensor destination, int count)
    {
        var slice = destination.SliceColumns(0, count);
        Backend.Upload<int>(source.AsSpan(0, count), slice);
        return slice;
    }
}
