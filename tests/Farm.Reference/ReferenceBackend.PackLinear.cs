using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated)
    {
        ArgumentNullException.ThrowIfNull(parts);
        const string Operation = nameof(PackLinear);
        Check.That(parts.Count > 0, Operation, "there are no parts");
        Check.That(storage is DType.F32 or DType.BF16 or DType.I8, Operation, $"weights are not stored as {storage.Name()}");
        foreach (var part in parts)
        {
            Check.That(part.Columns == parts[0].Columns, Operation,
                $"{part.Name} has {part.Columns} columns where {parts[0].Name} has {parts[0].Columns}");
            Check.That(part.DType is DType.F32 or DType.BF16 or DType.F16, Operation, $"{part.Name} is {part.DType.Name()}");
        }

        Check.That(layout != LinearLayout.GateUp || (parts.Count == 2 && parts[0].Rows == parts[1].Rows), Operation,
            "gate and up are two parts of equal shape");

        int columns = parts[0].Columns, groups = Int8Groups.Count(columns), row = 0;
        var weight = new ReferenceLinearWeight(parts.Sum(p => p.Rows), columns, storage, layout);
        foreach (var part in parts)
        {
            for (int i = 0; i < part.Rows; i++, row++)
            {
                float[] values = ReadSourceRow(part, i);
                if (storage == DType.I8)
                {
                    Int8Groups.Quantise(values, weight.Integers.AsSpan(row * columns, columns), weight.Scales.AsSpan(row * groups, groups));
                    continue;
                }

                for (int c = 0; c < columns; c++)
                {
                    weight.Values[((long)row * columns) + c] = storage == DType.BF16 ? BFloat16.Round(values[c]) : values[c];
                }
            }
        }

        return weight;
    }

    private static float[] ReadSourceRow(IRowSource part, int row)
    {
        var bytes = new byte[part.Columns * part.DType.Size()];
        part.Read(row, 1, bytes);
        float[] values = part.DType switch
        {
            DType.F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            DType.BF16 => Array.ConvertAll(MemoryMarshal.Cast<byte, ushort>(bytes).ToArray(), BFloat16.Value),
            _ => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(bytes).ToArray(), x => (float)x),
        };
        int bad = Array.FindIndex(values, x => !float.IsFinite(x));
        return bad < 0 ? values
            : throw new BadInputException($"{part.Name}: row {row}, column {bad} is {values[bad]}; weights must be finite.");
    }
}
