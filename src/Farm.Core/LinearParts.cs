using static Farm.Core.TensorChecks;

namespace Farm.Core;

/// <summary>The parts of a linear weight that a backend packs, checked, and the size of what they make.</summary>
public sealed class LinearParts
{
    /// <summary>Checks the arguments of <see cref="IBackend.PackLinear"/>.</summary>
    /// <exception cref="ArgumentException">The parts do not fit together, or cannot be packed so.</exception>
    public LinearParts(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout)
    {
        ArgumentNullException.ThrowIfNull(parts);
        const string Op = nameof(IBackend.PackLinear);
        Require(parts.Count > 0, Op, "there is at least one part", nameof(parts));
        Require(storage is DType.F32 or DType.BF16 or DType.I8, Op, "weights are stored as F32, BF16 or I8", nameof(storage));
        InFeatures = parts[0].Columns;
        Require(InFeatures > 0, Op, "a part has at least one column", nameof(parts));
        foreach (var part in parts)
        {
            Require(part.Columns == InFeatures, Op, $"part {part.Name} has {part.Columns} columns, the first part {InFeatures}", nameof(parts));
            Require(part.Rows > 0, Op, $"part {part.Name} has no rows", nameof(parts));
            Require(part.DType is DType.F32 or DType.BF16 or DType.F16, Op, $"part {part.Name} is not F32, BF16 or F16", nameof(parts));
        }

        GateUp = layout == LinearLayout.GateUp;
        Require(!GateUp || (parts.Count == 2 && parts[0].Rows == parts[1].Rows), Op, "GateUp takes two parts of equal shape", nameof(parts));
        OutFeatures = GateUp ? parts[0].Rows : parts.Sum(p => p.Rows);
        Sources = parts;
    }

    /// <summary>The parts.</summary>
    public IReadOnlyList<IRowSource> Sources { get; }

    /// <summary>Whether they are gate and up, whose rows lie beside each other; else they follow one another.</summary>
    public bool GateUp { get; }

    /// <summary>Width of the input.</summary>
    public int InFeatures { get; }

    /// <summary>Width of the product's output.</summary>
    public int OutFeatures { get; }

    /// <summary>A part and where it begins: the part that it is of a gate and up, 0 otherwise, and its first output feature.</summary>
    public IEnumerable<(IRowSource Source, int Part, int First)> Places()
    {
        int first = 0;
        for (int i = 0; i < Sources.Count; i++)
        {
            yield return (Sources[i], GateUp ? i : 0, first);
            first += GateUp ? 0 : Sources[i].Rows;
        }
    }

    /// <summary>The error of a row that cannot be packed.</summary>
    public static BadInputException NotFinite(IRowSource source, int row)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new BadInputException($"Tensor {source.Name} has a value that is NaN or infinite in row {row}.");
    }
}
