using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Llama;

namespace Farm.Training.Model;

/// <summary>
/// A LLaMA-family decoder that can be trained: the forward pass of <see cref="LlamaModel"/> over plain parameters, keeping what the backward needs.
/// One pass is <see cref="Forward"/>, a loss that fills <see cref="TrainingWorkspace.HiddenGradient"/>, and <see cref="Backward"/>; gradients add up over passes.
/// </summary>
public sealed partial class TrainableLlama : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly TrainableLayer[] _layers;
    private readonly Parameter _embedding, _finalNorm;
    private readonly Parameter? _languageHead, _rewardWeight, _rewardBias;
    private readonly Tensor _cosine, _sine;
    private readonly float _scale, _epsilon;
    private readonly bool _ownsBase;

    private TrainableLlama(ITrainingBackend backend, ModelConfig config, TrainableLlamaOptions options, string prefix, TrainableLlama? shared = null)
    {
        Backend = backend;
        Config = config;
        Options = options;
        Prefix = prefix;
        _ownsBase = shared is null;
        _scale = 1f / MathF.Sqrt(config.HeadDim);
        _epsilon = (float)config.RmsNormEpsilon;
        var slots = new LlamaSlots(config, prefix);
        var decoder = slots.Decoder(options.Head == ModelHead.Language);
        List<Slot> head = options.Head == ModelHead.Reward ? [.. slots.RewardHead()] : [];
        try
        {
            if (options.Lora is { } lora)
            {
                lora.Validate();
                string[] weights = [.. slots.LinearWeights()];
                lora.RequireMatches([.. weights.Select(LlamaSlots.Module)]);
                var shapes = decoder.SelectMany(s => s.Parts.Select(p => (p.Name, p.Count, s.Columns))).ToDictionary(p => p.Name);
                var adapters = weights.Where(w => lora.Matches(LlamaSlots.Module(w)))
                    .SelectMany(w => LlamaSlots.Adapter(w, lora.Rank, shapes[w].Count, shapes[w].Columns));
                Base = shared?.Base ?? Own(new ParameterStore(backend, decoder, trainable: false, options.DType));
                // Adapters are narrow; products with them stay F32 whatever the base is.
                Trained = Own(new ParameterStore(backend, [.. adapters, .. head], trainable: !options.Frozen, DType.F32));
            }
            else
            {
                Base = Trained = Own(new ParameterStore(backend, [.. decoder, .. head], trainable: !options.Frozen, options.DType));
            }

            _embedding = Base[slots.Names.Embedding];
            _finalNorm = Base[slots.Names.FinalNorm];
            _languageHead = options.Head != ModelHead.Language ? null : config.TieWordEmbeddings ? _embedding : Base[slots.Names.OutputHead];
            _rewardWeight = head.Count > 0 ? Trained[head[0].Parts[0].Name] : null;
            _rewardBias = head.Count > 0 ? Trained[head[1].Parts[0].Name] : null;
            _layers = TrainableLayer.Create(this, slots.Names);
            (_cosine, _sine) = RopeTables(Math.Clamp(options.MaxPositions ?? int.MaxValue, 1, config.MaxPositionEmbeddings));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The device.</summary>
    public ITrainingBackend Backend { get; }

    /// <summary>Shape of the model, with the vocabulary it was given.</summary>
    public ModelConfig Config { get; }

    /// <summary>How it was loaded.</summary>
    public TrainableLlamaOptions Options { get; }

    /// <summary>What stands before the decoder's tensor names.</summary>
    public string Prefix { get; }

    /// <summary>The decoder's parameters.</summary>
    public ParameterStore Base { get; }

    /// <summary>The device's operations of learning from feedback.</summary>
    /// <exception cref="BadInputException">It has none.</exception>
    public IReinforcementBackend Reinforcement =>
        Backend as IReinforcementBackend ?? throw new BadInputException($"The device {Backend.Name} does not have the operations of learning from feedback yet.");

    /// <summary>Bytes of parameters, gradients, moments and tables that this model holds itself; not those of a base it shares.</summary>
    public long Bytes => (_ownsBase ? Base.Bytes : 0) + (ReferenceEquals(Base, Trained) ? 0 : Trained.Bytes) + (2 * Arena.SizeOf(DType.F32, _cosine.Rows, _cosine.Columns));

    /// <summary>What is trained: <see cref="Base"/>, or the adapters; and a reward head.</summary>
    public ParameterStore Trained { get; }

    /// <summary>Longest sequence.</summary>
    public int MaxPositions => _cosine.Rows;

    /// <summary>
    /// A second set of adapters, with a head of its own, on the frozen base of a model that was loaded with adapters. The base must outlive it.
    /// </summary>
    /// <param name="model">The model whose base is shared.</param>
    /// <param name="options">Adapters, head and seed; type, vocabulary and positions are the base's.</param>
    public static TrainableLlama Share(TrainableLlama model, TrainableLlamaOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        if (model.Options.Lora is null || options.Lora is null)
        {
            throw new ArgumentException("a base is shared between models with adapters", nameof(model));
        }

        var own = new TrainableLlama(
            model.Backend, model.Config, options with { DType = model.Options.DType, MaxPositions = model.Options.MaxPositions, Recompute = model.Options.Recompute }, model.Prefix, model);
        try
        {
            own.InitialiseTrained();
            return own;
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    /// <summary>Memory for passes of up to so many rows.</summary>
    /// <param name="maxRows">Rows of the largest pass.</param>
    /// <param name="backward">False where no <see cref="Backward"/> follows: layers then keep their inputs alone.</param>
    public TrainingWorkspace CreateWorkspace(int maxRows, bool backward = true) => new(Backend, Config, maxRows, Options.Recompute || !backward, Options.Lora, Options.Seed);

    /// <summary>
    /// Runs the decoder over a batch. Afterwards <see cref="TrainingWorkspace"/> holds what the losses and <see cref="Backward"/> need.
    /// </summary>
    /// <param name="batch">The rows; not empty.</param>
    /// <param name="workspace">Memory of this model with room for them.</param>
    /// <param name="training">False switches dropout off.</param>
    /// <param name="adapters">False leaves the adapters out: the base alone.</param>
    public void Forward(PackedBatch batch, TrainingWorkspace workspace, bool training = true, bool adapters = true)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(workspace);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch.Rows, 1, nameof(batch));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch.Rows, workspace.MaxRows, nameof(batch));
        workspace.Begin(batch, training, adapters);
        Backend.Embedding(workspace.Ids, _embedding.Compute, workspace.Input(0));
        for (int i = 0; i < _layers.Length; i++)
        {
            ForwardLayer(i, workspace, workspace.Input(i + 1));
        }
    }

    /// <summary>
    /// Adds the gradients of the parameters, from the gradient of the last layer's output in the workspace. What <see cref="Forward"/> kept is used up.
    /// </summary>
    public void Backward(TrainingWorkspace workspace)
    {
        ArgumentNullException.ThrowIfNull(workspace);
        var gradient = workspace.HiddenGradient.SliceRows(0, workspace.Rows);
        for (int i = _layers.Length - 1; i >= 0; i--)
        {
            if (workspace.Recompute)
            {
                ForwardLayer(i, workspace, default);
            }

            BackwardLayer(i, workspace, gradient);
        }

        if (!_embedding.Gradient.IsNone)
        {
            Backend.EmbeddingBackward(workspace.Ids, gradient, _embedding.Gradient);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.ForEach(o => o.Dispose());

    // With no output the last product is left out: the backward needs nothing of it.
    private void ForwardLayer(int index, TrainingWorkspace workspace, Tensor output)
    {
        var layer = _layers[index];
        var kept = workspace.Layer(index);
        var input = workspace.Input(index);
        int rows = workspace.Rows;
        var normed = workspace.Normed.SliceRows(0, rows);
        Backend.RmsNorm(input, layer.AttentionNorm.Value, _epsilon, normed);
        layer.Qkv.Forward(workspace, normed, kept.Qkv);
        Backend.RopeAppendKv(kept.Qkv, Config.AttentionHeads, Config.KeyValueHeads, workspace.Positions, _cosine, _sine, null, 0, default);
        Backend.AttentionTrain(kept.Qkv, Config.AttentionHeads, Config.KeyValueHeads, workspace.Starts, _scale, kept.Attention, kept.LogSumExp);
        Backend.Copy(input, kept.Middle);
        layer.Output.Forward(workspace, kept.Attention, kept.Middle, accumulate: true);
        Backend.RmsNorm(kept.Middle, layer.MlpNorm.Value, _epsilon, normed);
        layer.GateUp.Forward(workspace, normed, kept.GateUp);
        if (!output.IsNone)
        {
            var mlp = workspace.Mlp.SliceRows(0, rows);
            Backend.SwiGlu(kept.GateUp, mlp);
            Backend.Copy(kept.Middle, output);
            layer.Down.Forward(workspace, mlp, output, accumulate: true);
        }
    }

    // The gradient of the residual stream is carried in place. Norm outputs and the MLP's activation are made again rather than kept.
    private void BackwardLayer(int index, TrainingWorkspace workspace, Tensor gradient)
    {
        var layer = _layers[index];
        var kept = workspace.Layer(index);
        var input = workspace.Input(index);
        int rows = workspace.Rows;
        var normed = workspace.Normed.SliceRows(0, rows);
        var mlp = workspace.Mlp.SliceRows(0, rows);
        Backend.SwiGlu(kept.GateUp, mlp);
        layer.Down.Backward(workspace, mlp, gradient, mlp);
        Backend.SwiGluBackward(kept.GateUp, mlp, kept.GateUp);
        Backend.RmsNorm(kept.Middle, layer.MlpNorm.Value, _epsilon, normed);
        layer.GateUp.Backward(workspace, normed, kept.GateUp, normed);
        Backend.RmsNormBackward(kept.Middle, layer.MlpNorm.Value, _epsilon, normed, gradient, layer.MlpNorm.Gradient);

        var attention = workspace.AttentionGradient.SliceRows(0, rows);
        var qkv = workspace.QkvGradient.SliceRows(0, rows);
        layer.Output.Backward(workspace, kept.Attention, gradient, attention);
        Backend.AttentionBackward(
            kept.Qkv, Config.AttentionHeads, Config.KeyValueHeads, workspace.Starts, _scale, kept.Attention, kept.LogSumExp, attention, qkv);
        Backend.RopeBackward(qkv, Config.AttentionHeads, Config.KeyValueHeads, workspace.Positions, _cosine, _sine);
        Backend.RmsNorm(input, layer.AttentionNorm.Value, _epsilon, normed);
        layer.Qkv.Backward(workspace, normed, qkv, normed);
        Backend.RmsNormBackward(input, layer.AttentionNorm.Value, _epsilon, normed, gradient, layer.AttentionNorm.Gradient);
    }

    private T Own<T>(T item)
        where T : IDisposable
    {
        _owned.Add(item);
        return item;
    }

    private (Tensor Cosine, Tensor Sine) RopeTables(int positions)
    {
        int half = Config.HeadDim / 2;
        var arena = Own(new Arena(Backend, 2 * Arena.SizeOf(DType.F32, positions, half)));
        float[] cosine = new float[positions * half], sine = new float[positions * half];
        double[] frequencies = Rope.Frequencies(Config);
        for (int p = 0; p < positions; p++)
        {
            Rope.Row(frequencies, p, cosine.AsSpan(p * half, half), sine.AsSpan(p * half, half));
        }

        Tensor cosines = arena.Take(DType.F32, positions, half), sines = arena.Take(DType.F32, positions, half);
        Backend.Upload<float>(cosine, cosines);
        Backend.Upload<float>(sine, sines);
        return (cosines, sines);
    }
}
