using Farm.Core;

namespace Farm.Training.Model;

/// <summary>
/// Parameters in one block, their gradients in a second of the same layout: matrices first, vectors after them, so that clipping, the
/// optimiser and the BF16 copies each are one or two calls over everything. Padding between parameters is zero and stays zero.
/// </summary>
public sealed class ParameterStore : IDisposable
{
    /// <summary>Columns of the flat views; both groups are padded to whole rows of it.</summary>
    public const int FlatColumns = 1024;

    private const int Alignment = 16;
    private readonly List<DeviceMemory> _owned = [];
    private readonly Dictionary<string, (Parameter Parameter, SlotPart Part)> _byName = [];

    /// <summary>Allocates zeroed parameters.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="slots">The parameters; matrices are laid before vectors whatever their order here.</param>
    /// <param name="trainable">True for gradients.</param>
    /// <param name="type">F32; or BF16: products read matrices as BF16, which are copies of F32 masters if trainable and all there is if not.</param>
    public ParameterStore(ITrainingBackend backend, IReadOnlyList<Slot> slots, bool trainable, DType type)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(slots);
        Backend = backend;
        IsTrainable = trainable;
        Slot[] matrices = [.. slots.Where(s => s.IsMatrix)], vectors = [.. slots.Where(s => !s.IsMatrix)];
        long matrixCount = Padded(matrices), vectorCount = Padded(vectors);
        bool narrow = type == DType.BF16;
        try
        {
            var masters = trainable || !narrow ? Flat(DType.F32, matrixCount) : default;
            var copies = narrow ? Flat(DType.BF16, matrixCount) : default;
            var gradients = trainable ? Flat(DType.F32, matrixCount + vectorCount) : default;
            Matrices = new ParameterGroup(masters, gradients.IsNone ? gradients : Rows(gradients, 0, matrixCount), copies);
            var values = Flat(DType.F32, vectorCount);
            Vectors = new ParameterGroup(values, gradients.IsNone ? gradients : Rows(gradients, matrixCount, vectorCount), default);
            Gradients = gradients;
        }
        catch
        {
            Dispose();
            throw;
        }

        Parameters = [.. Cut(matrices, Matrices), .. Cut(vectors, Vectors)];
        foreach (var parameter in Parameters)
        {
            foreach (var part in parameter.Slot.Parts)
            {
                _byName.Add(part.Name, (parameter, part));
            }
        }
    }

    /// <summary>The device.</summary>
    public ITrainingBackend Backend { get; }

    /// <summary>True where there are gradients.</summary>
    public bool IsTrainable { get; }

    /// <summary>All parameters, matrices first.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Names of the checkpoint's tensors that lie here.</summary>
    public IReadOnlyCollection<string> Names => _byName.Keys;

    /// <summary>The matrices as one tensor each of values, gradients and BF16 copies.</summary>
    public ParameterGroup Matrices { get; }

    /// <summary>The same of the vectors, which have no copies.</summary>
    public ParameterGroup Vectors { get; }

    /// <summary>All gradients, F32 [rows, <see cref="FlatColumns"/>]; none where frozen.</summary>
    public Tensor Gradients { get; }

    /// <summary>Bytes held, padding and an optimiser's moments included.</summary>
    public long Bytes => _owned.Sum(memory => memory.Bytes);

    /// <summary>Number of elements, padding not counted.</summary>
    public long Count => Parameters.Sum(p => p.Slot.Count);

    /// <summary>Whether a tensor of the checkpoint lies here.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>The parameter that begins with this tensor.</summary>
    public Parameter this[string name] => _byName[name].Parameter;

    /// <summary>The values of one tensor of the checkpoint; columns follow each other, rows may be apart.</summary>
    public Tensor ValueOf(string name) => _byName[name].Parameter.View(_byName[name].Part, _byName[name].Parameter.Value);

    /// <summary>The gradient of one tensor of the checkpoint.</summary>
    public Tensor GradientOf(string name) => _byName[name].Parameter.View(_byName[name].Part, _byName[name].Parameter.Gradient);

    /// <summary>Shape of a tensor in the checkpoint.</summary>
    public IReadOnlyList<long> ShapeOf(string name) => _byName[name].Part.Shape;

    /// <summary>Makes the BF16 copies anew from the masters; to be called after the masters change.</summary>
    public void RefreshCopies()
    {
        if (!Matrices.Copies.IsNone && !Matrices.Values.IsNone && Matrices.Values.Rows > 0)
        {
            Backend.Copy(Matrices.Values, Matrices.Copies);
        }
    }

    /// <summary>Sets all gradients to zero.</summary>
    public void ZeroGradients()
    {
        if (Gradients.Count > 0)
        {
            Backend.Scale(Gradients, 0, Gradients);
        }
    }

    /// <summary>A zeroed F32 block laid out like the values, for an optimiser's moments; freed with the store.</summary>
    public (Tensor Matrices, Tensor Vectors) AllocateLike()
    {
        var all = Flat(DType.F32, (long)(Matrices.Gradients.Rows + Vectors.Gradients.Rows) * FlatColumns);
        return (all.SliceRows(0, Matrices.Gradients.Rows), all.SliceRows(Matrices.Gradients.Rows, Vectors.Gradients.Rows));
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.ForEach(memory => memory.Dispose());

    private static long Aligned(long count) => (count + Alignment - 1) / Alignment * Alignment;

    private static long Padded(Slot[] slots) => (slots.Sum(s => Aligned(s.Count)) + FlatColumns - 1) / FlatColumns * FlatColumns;

    private static Tensor Rows(Tensor flat, long first, long count) => flat.SliceRows((int)(first / FlatColumns), (int)(count / FlatColumns));

    private static IEnumerable<Parameter> Cut(Slot[] slots, ParameterGroup group)
    {
        long offset = 0;
        foreach (var slot in slots)
        {
            var copy = View(group.Copies, offset, slot);
            var value = group.Values.IsNone ? copy : View(group.Values, offset, slot);
            yield return new Parameter(slot, value, copy.IsNone ? value : copy, View(group.Gradients, offset, slot));
            offset += Aligned(slot.Count);
        }
    }

    private static Tensor View(Tensor flat, long offset, Slot slot) => flat.IsNone
        ? default
        : new Tensor(flat.Address + (nint)(offset * flat.DType.Size()), flat.DType, slot.Rows, slot.Columns, slot.Columns);

    private Tensor Flat(DType type, long count)
    {
        var memory = Backend.Allocate(Math.Max(count * type.Size(), 64));
        _owned.Add(memory);
        return memory.Tensor(type, checked((int)(count / FlatColumns)), FlatColumns);
    }
}

/// <summary>A group of parameters as flat tensors [rows, <see cref="ParameterStore.FlatColumns"/>].</summary>
/// <param name="Values">F32 masters; none for frozen matrices held as BF16.</param>
/// <param name="Gradients">F32; none where frozen.</param>
/// <param name="Copies">BF16; none where products read the masters.</param>
public readonly record struct ParameterGroup(Tensor Values, Tensor Gradients, Tensor Copies);
