using Farm.Core;

namespace Farm.Reference;

/// <summary>
/// A packed weight of the reference: rows of the parts one after another, as the values that storage keeps. I8 holds the integers
/// and one scale per row and group of 64.
/// </summary>
public sealed class ReferenceLinearWeight : LinearWeight
{
    internal ReferenceLinearWeight(int rows, int inFeatures, DType storage, LinearLayout layout)
    {
        Rows = rows;
        InFeatures = inFeatures;
        DType = storage;
        Layout = layout;
        bool quantised = storage == DType.I8;
        Values = quantised ? [] : new float[(long)rows * inFeatures];
        Integers = quantised ? new sbyte[(long)rows * inFeatures] : [];
        Scales = quantised ? new float[(long)rows * Int8Groups.Count(inFeatures)] : [];
    }

    /// <summary>Rows over all parts; for <see cref="LinearLayout.GateUp"/> twice <see cref="OutFeatures"/>.</summary>
    public int Rows { get; }

    /// <inheritdoc/>
    public override int InFeatures { get; }

    /// <inheritdoc/>
    public override int OutFeatures => Layout == LinearLayout.GateUp ? Rows / 2 : Rows;

    /// <inheritdoc/>
    public override DType DType { get; }

    /// <inheritdoc/>
    public override LinearLayout Layout { get; }

    /// <inheritdoc/>
    public override long Bytes => ((long)Rows * InFeatures * DType.Size()) + (Scales.LongLength * sizeof(float));

    internal float[] Values { get; }

    internal sbyte[] Integers { get; }

    internal float[] Scales { get; }

    /// <summary>The stored value of row <paramref name="row"/>, column <paramref name="column"/>.</summary>
    public double this[int row, int column]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(row);
            ArgumentOutOfRangeException.ThrowIfNegative(column);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(column, InFeatures);
            long at = ((long)row * InFeatures) + column;
            return DType == DType.I8
                ? Integers[at] * (double)Scales[((long)row * Int8Groups.Count(InFeatures)) + (column / Int8Groups.Size)]
                : Values[at];
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
