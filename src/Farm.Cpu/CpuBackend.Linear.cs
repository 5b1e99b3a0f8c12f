using Farm.Core;

namespace Farm.Cpu;

public sealed unsafe partial class CpuBackend
{
    // Rows are read and packed in chunks of about this size, so that loading holds little beside the packed weight.
    private const long ChunkBytes = 8 << 20;

    /// <inheritdoc/>
    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated)
    {
        ArgumentNullException.ThrowIfNull(parts);
        const string Op = nameof(PackLinear);
        Require(parts.Count > 0, Op, "there is at least one part", nameof(parts));
        Require(storage is DType.F32 or DType.BF16 or DType.I8, Op, "weights are stored as F32, BF16 or I8", nameof(storage));
        int columns = parts[0].Columns;
        Require(columns > 0, Op, "a part has at least one column", nameof(parts));
        foreach (var part in parts)
        {
            Require(part.Columns == columns, Op, $"part {part.Name} has {part.Columns} columns, the first part {columns}", nameof(parts));
            Require(part.Rows > 0, Op, $"part {part.Name} has no rows", nameof(parts));
            Require(part.DType is DType.F32 or DType.BF16 or DType.F16, Op, $"part {part.Name} is not F32, BF16 or F16", nameof(parts));
        }

        bool gateUp = layout == LinearLayout.GateUp;
        Require(!gateUp || (parts.Count == 2 && parts[0].Rows == parts[1].Rows), Op, "GateUp takes two parts of equal shape", nameof(parts));
        int rows = gateUp ? parts[0].Rows : parts.Sum(p => p.Rows);
        var weight = new CpuLinearWeight(columns, rows, storage, layout);
        try
        {
            int first = 0;
            for (int i = 0; i < parts.Count; i++)
            {
                Pack(weight, gateUp ? i : 0, first, parts[i]);
                first += gateUp ? 0 : parts[i].Rows;
            }

            return weight;
        }
        catch
        {
            weight.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false,
        Tensor normWeight = default, float normEpsilon = 0f)
    {
        const string Op = nameof(Linear);
        var packed = Packed(weight, Op);
        RequireF32(input, input.Rows, packed.InFeatures, Op, nameof(input));
        RequireF32(output, input.Rows, packed.OutFeatures, Op, nameof(output));
        if (!bias.IsNone)
        {
            RequireF32(bias, 1, packed.OutFeatures, Op, nameof(bias));
        }

        if (!normWeight.IsNone)
        {
            RequireF32(normWeight, 1, packed.InFeatures, Op, nameof(normWeight));
        }

        Require(packed.Layout != LinearLayout.GateUp || (bias.IsNone && !accumulate), Op, "a GateUp weight takes neither bias nor accumulation", nameof(bias));
        Check(Native.farm_linear(Context, packed.Handle, new Native.LinearArgs
        {
            Input = input.Address,
            NormWeight = normWeight.Address,
            Bias = bias.Address,
            Output = output.Address,
            Rows = input.Rows,
            InputStride = input.Stride,
            OutputStride = output.Stride,
            Accumulate = accumulate ? 1 : 0,
            Bf16Activations = Bf16Activations && packed.DType == DType.BF16 ? 1 : 0,
            NormEpsilon = normEpsilon,
        }));
    }

    private static CpuLinearWeight Packed(LinearWeight weight, string operation) =>
        weight as CpuLinearWeight ?? throw new ArgumentException($"{operation}: the weight was packed by another backend.", nameof(weight));

    private void Pack(CpuLinearWeight weight, int part, int firstRow, IRowSource source)
    {
        long rowBytes = (long)source.Columns * source.DType.Size();
        // Whole panels at a time: 16 rows share their cache lines.
        int chunk = (int)Math.Clamp(ChunkBytes / rowBytes / 16 * 16, 16, Math.Max(source.Rows, 16));
        var buffer = new byte[Math.Min(chunk, source.Rows) * rowBytes];
        for (int row = 0; row < source.Rows; row += chunk)
        {
            int count = Math.Min(chunk, source.Rows - row);
            source.Read(row, count, buffer.AsSpan(0, (int)(count * rowBytes)));
            int bad;
            fixed (byte* bytes = buffer)
            {
                bad = Native.farm_weight_pack(Context, weight.Handle, part, firstRow + row, count, bytes, (int)source.DType);
            }

            if (bad >= 0)
            {
                throw new BadInputException($"Tensor {source.Name} has a value that is NaN or infinite in row {row + bad}.");
            }
        }
    }
}
