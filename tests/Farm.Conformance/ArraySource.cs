using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

/// <summary>A weight matrix in memory, its values rounded to the type it pretends to be stored in.</summary>
public sealed class ArraySource : IRowSource
{
    /// <summary>Wraps <paramref name="values"/> [rows, columns], rounding them to <paramref name="type"/> in place.</summary>
    public ArraySource(string name, int rows, int columns, DType type, float[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        Assert.Equal(rows * columns, values.Length);
        (Name, Rows, Columns, DType, Values) = (name, rows, columns, type, values);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = RoundTo(type, values[i]);
        }
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Columns { get; }

    /// <inheritdoc/>
    public DType DType { get; }

    /// <summary>The values, [Rows, Columns].</summary>
    public float[] Values { get; }

    /// <summary><paramref name="value"/> as <paramref name="type"/> stores it.</summary>
    public static float RoundTo(DType type, float value) => type switch
    {
        DType.BF16 => BFloat16.Round(value),
        DType.F16 => (float)(Half)value,
        _ => value,
    };

    /// <inheritdoc/>
    public void Read(int firstRow, int count, Span<byte> destination)
    {
        ReadOnlySpan<float> rows = Values.AsSpan(firstRow * Columns, count * Columns);
        Assert.Equal(rows.Length * DType.Size(), destination.Length);
        switch (DType)
        {
            case DType.BF16:
                var bits = MemoryMarshal.Cast<byte, ushort>(destination);
                for (int i = 0; i < rows.Length; i++)
                {
                    bits[i] = BFloat16.Bits(rows[i]);
                }

                break;
            case DType.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(destination);
                for (int i = 0; i < rows.Length; i++)
                {
                    halves[i] = (Half)rows[i];
                }

                break;
            default:
                MemoryMarshal.AsBytes(rows).CopyTo(destination);
                break;
        }
    }
}
