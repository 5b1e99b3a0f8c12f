using Farm.Core;

namespace Farm.Cpu;

public sealed unsafe partial class CpuBackend
{
    // Rows are read and packed in chunks of about this size, so that loading holds little beside the packed weight.
    private const long ChunkBytes = 8 << 20;

    /// <inheritdoc/>
    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated)
    {
        var all = new LinearParts(parts, storage, layout);
        var weight = new CpuLinearWeight(all.InFeatures, all.OutFeatures, storage, layout);
        try
        {
            foreach (var (source, part, first) in all.Places())
            {
                Pack(weight, part, first, source);
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
                throw LinearParts.NotFinite(source, row + bad);
            }
        }
    }
}
