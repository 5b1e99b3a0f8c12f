using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Training.Model;

/// <summary>What a layer's forward pass keeps for its backward.</summary>
/// <param name="Qkv">Rotated queries and keys, and values.</param>
/// <param name="Attention">Output of attention, before its projection.</param>
/// <param name="LogSumExp">Of the scaled scores, [T, heads].</param>
/// <param name="Middle">The residual stream between attention and MLP.</param>
/// <param name="GateUp">Gate and up columns; the backward overwrites them with their gradient.</param>
internal readonly record struct LayerActivations(Tensor Qkv, Tensor Attention, Tensor LogSumExp, Tensor Middle, Tensor GateUp)
{
    public LayerActivations Slice(int rows) => new(
        Qkv.SliceRows(0, rows), Attention.SliceRows(0, rows), LogSumExp.SliceRows(0, rows), Middle.SliceRows(0, rows), GateUp.SliceRows(0, rows));
}

/// <summary>
/// Memory of one pass, allocated once: the input of every layer, what each layer keeps (with recomputation one layer's worth, made again in the
/// backward), and scratch that all layers share.
/// </summary>
public sealed class TrainingWorkspace : IDisposable
{
    /// <summary>Vectors of a token loss: what goes in beside labels and scales, and what comes out beside losses.</summary>
    private const int Vectors = 6;

    private readonly Arena _arena;
    private readonly LayerActivations[] _layers;
    private readonly Tensor[] _inputs;
    private readonly Tensor _ids, _positions, _starts, _rowIndices, _labels, _scales, _losses;
    private readonly Tensor _adapterActivation, _dropped;
    private readonly Tensor[] _adapterGradients, _vectors;
    private readonly LoraOptions? _lora;
    private readonly ulong _seed;
    private float[] _host = [];
    private (int Step, int Pass) _key;
    private bool _training;

    internal TrainingWorkspace(ITrainingBackend backend, ModelConfig config, int maxRows, bool recompute, LoraOptions? lora, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRows, 1);
        Backend = backend;
        MaxRows = maxRows;
        Recompute = recompute;
        _lora = lora;
        _seed = seed;
        var (plan, inputs, layers, kept, shared, adapters) = PlanOf(config, maxRows, recompute, lora);
        Bytes = plan.Sum(p => Arena.SizeOf(p.Type, p.Rows, p.Columns));
        _arena = new Arena(backend, Bytes);
        Tensor[] all = [.. plan.Select(p => _arena.Take(p.Type, p.Rows, p.Columns))];
        (_ids, _positions, _starts, _rowIndices, _labels, _scales, _losses) = (all[0], all[1], all[2], all[3], all[4], all[5], all[6]);
        _vectors = all[7..inputs];
        _inputs = all[inputs..layers];
        _layers = [.. Enumerable.Range(0, kept).Select(i => layers + (5 * i)).Select(at => new LayerActivations(all[at], all[at + 1], all[at + 2], all[at + 3], all[at + 4]))];
        (Normed, AttentionGradient, HiddenGradient, Mlp) = (all[shared], all[shared + 1], all[shared + 2], all[shared + 3]);
        (QkvGradient, Selected, SelectedGradient, Rewards) = (all[shared + 4], all[shared + 5], all[shared + 6], all[shared + 7]);
        if (lora is not null)
        {
            _adapterActivation = all[adapters];
            _dropped = lora.Dropout > 0 ? all[adapters + 4] : default;
        }

        _adapterGradients = lora is null ? [] : all[(adapters + 1)..(adapters + 4)];
    }

    /// <summary>Bytes that a workspace of these settings takes.</summary>
    public static long BytesFor(ModelConfig config, int maxRows, bool recompute, LoraOptions? lora)
    {
        ArgumentNullException.ThrowIfNull(config);
        return PlanOf(config, maxRows, recompute, lora).Plan.Sum(p => Arena.SizeOf(p.Type, p.Rows, p.Columns));
    }

    /// <summary>The device.</summary>
    public ITrainingBackend Backend { get; }

    /// <summary>Rows of the largest pass.</summary>
    public int MaxRows { get; }

    /// <summary>Bytes held.</summary>
    public long Bytes { get; }

    /// <summary>True where layers keep only their inputs.</summary>
    public bool Recompute { get; }

    internal float LoraScale => _lora!.Scale;

    /// <summary>A norm's output, then its gradient.</summary>
    internal Tensor Normed { get; }

    internal Tensor AttentionGradient { get; }

    /// <summary>Gradient of the residual stream.</summary>
    internal Tensor HiddenGradient { get; }

    /// <summary>Input of the MLP's last product, then its gradient.</summary>
    internal Tensor Mlp { get; }

    internal Tensor QkvGradient { get; }

    /// <summary>The rows of the last layer that a loss looks at.</summary>
    internal Tensor Selected { get; }

    internal Tensor SelectedGradient { get; }

    /// <summary>Rewards, then their gradients, [T, 1].</summary>
    internal Tensor Rewards { get; }

    internal Tensor Ids { get; private set; }

    internal Tensor Positions { get; private set; }

    internal Tensor Starts { get; private set; }

    /// <summary>Rows of the batch that is in the workspace.</summary>
    internal int Rows { get; private set; }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    /// <summary>Input of a layer; the one past the last is the decoder's output before the final norm.</summary>
    internal Tensor Input(int layer) => _inputs[layer].SliceRows(0, Rows);

    internal LayerActivations Layer(int layer) => _layers[Recompute ? 0 : layer].Slice(Rows);

    /// <summary>False while a pass leaves the adapters out.</summary>
    internal bool UsesAdapters { get; private set; }

    internal void Begin(PackedBatch batch, bool training, bool adapters)
    {
        UsesAdapters = adapters;
        Rows = batch.Rows;
        _key = batch.Key;
        _training = training;
        Ids = Upload<int>([.. batch.Ids], _ids);
        Positions = Upload<int>([.. batch.Positions], _positions);
        Starts = Upload<int>([.. batch.Starts], _starts);
    }

    internal Tensor UploadRows(ReadOnlySpan<int> rows) => Upload(rows, _rowIndices);

    internal Tensor UploadLabels(ReadOnlySpan<int> labels) => Upload(labels, _labels);

    internal Tensor UploadScales(ReadOnlySpan<float> scales) => Upload(scales, _scales);

    internal Tensor Losses(int count) => _losses.SliceColumns(0, count);

    internal Tensor Vector(int index, int count) => _vectors[index].SliceColumns(0, count);

    internal Tensor UploadVector(int index, ReadOnlySpan<float> values) => Upload(values, _vectors[index]);

    internal Tensor AdapterActivation(int rows) => _adapterActivation.SliceRows(0, rows);

    internal Tensor AdapterGradient(int adapter, int rows) => _adapterGradients[adapter].SliceRows(0, rows);

    /// <summary>The adapter's input with dropout: the input itself in evaluation or where nothing is dropped.</summary>
    internal Tensor Dropped(Tensor input, int adapter)
    {
        if (!_training || _dropped.IsNone)
        {
            return input;
        }

        var dropped = View(_dropped, input.Rows, input.Columns);
        Mask(input, dropped, adapter);
        return dropped;
    }

    /// <summary>inputGradient += mask * (narrowGradient A).</summary>
    internal void AddAdapterInputGradient(Tensor narrowGradient, Adapter adapter, Tensor inputGradient)
    {
        if (!_training || _dropped.IsNone)
        {
            Backend.MatMul(narrowGradient, false, adapter.A.Value, false, inputGradient, true);
            return;
        }

        var wide = View(_dropped, inputGradient.Rows, inputGradient.Columns);
        Backend.MatMul(narrowGradient, false, adapter.A.Value, false, wide);
        Mask(wide, wide, adapter.Index);
        Backend.Scale(wide, 1, inputGradient, true);
    }

    // The tensors in order, and where each group of them begins.
    private static (List<(DType Type, int Rows, int Columns)> Plan, int Inputs, int Layers, int Kept, int Shared, int Adapters) PlanOf(
        ModelConfig config, int maxRows, bool recompute, LoraOptions? lora)
    {
        int hidden = config.HiddenSize, query = config.QueryWidth, qkv = query + (2 * config.KeyValueWidth), mlp = config.IntermediateSize;
        int kept = recompute ? 1 : config.Layers, widest = Math.Max(Math.Max(hidden, query), mlp);
        var plan = new List<(DType Type, int Rows, int Columns)>();
        int Plan(DType type, int rows, int columns)
        {
            plan.Add((type, rows, columns));
            return plan.Count - 1;
        }

        for (int i = 0; i < 7 + Vectors; i++)
        {
            Plan(i >= 5 ? DType.F32 : DType.I32, 1, maxRows + 1);
        }

        int inputs = plan.Count;
        for (int i = 0; i <= config.Layers; i++)
        {
            Plan(DType.F32, maxRows, hidden);
        }

        int layers = plan.Count;
        for (int i = 0; i < kept; i++)
        {
            Plan(DType.F32, maxRows, qkv);
            Plan(DType.F32, maxRows, query);
            Plan(DType.F32, maxRows, config.AttentionHeads);
            Plan(DType.F32, maxRows, hidden);
            Plan(DType.F32, maxRows, 2 * mlp);
        }

        int shared = plan.Count;
        Plan(DType.F32, maxRows, hidden);
        Plan(DType.F32, maxRows, query);
        Plan(DType.F32, maxRows, hidden);
        Plan(DType.F32, maxRows, mlp);
        Plan(DType.F32, maxRows, qkv);
        Plan(DType.F32, maxRows, hidden);
        Plan(DType.F32, maxRows, hidden);
        Plan(DType.F32, maxRows, 1);
        int adapters = plan.Count;
        if (lora is not null)
        {
            for (int i = 0; i < 4; i++)
            {
                Plan(DType.F32, maxRows, lora.Rank);
            }

            if (lora.Dropout > 0)
            {
                Plan(DType.F32, maxRows, widest);
            }
        }

        return (plan, inputs, layers, kept, shared, adapters);
    }

    private static Tensor View(Tensor scratch, int rows, int columns) => scratch with { Rows = rows, Columns = columns, Stride = columns };

    // The mask is a function of (seed, step, pass, adapter, element) alone, so that forward, backward and recomputation agree without storing it.
    private void Mask(Tensor source, Tensor destination, int adapter)
    {
        int count = checked((int)source.Count);
        if (_host.Length < count)
        {
            _host = new float[count];
        }

        var values = _host.AsSpan(0, count);
        Backend.Download(source, values);
        uint threshold = (uint)Math.Min(_lora!.Dropout * 4294967296.0, uint.MaxValue);
        float keep = (float)(1 / (1 - _lora.Dropout));
        for (int i = 0; i < count; i += 4)
        {
            var (x0, x1, x2, x3) = Philox.Block(_seed, (uint)(i / 4), (uint)adapter, (uint)_key.Step, RandomStreams.Dropout | (uint)_key.Pass);
            for (int j = 0; j < Math.Min(4, count - i); j++)
            {
                uint draw = j switch { 0 => x0, 1 => x1, 2 => x2, _ => x3 };
                values[i + j] = draw < threshold ? 0 : values[i + j] * keep;
            }
        }

        Backend.Upload<float>(values, destination);
    }

    private Tensor Upload<T>(ReadOnlySpan<T> values, Tensor destination)
        where T : unmanaged
    {
        var slice = destination.SliceColumns(0, values.Length);
        Backend.Upload(values, slice);
        return slice;
    }
}
