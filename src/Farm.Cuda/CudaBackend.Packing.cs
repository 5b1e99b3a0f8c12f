using Farm.Core;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    // Rows are read, packed and sent in chunks of about this size, so that loading holds little beside the packed weight.
    private const long PackChunkBytes = 8 << 20;

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
        var weight = new CudaLinearWeight(columns, rows, storage, layout, bytes => CudaMemory.Create(_device, Queue, bytes));
        try
        {
            Pack(weight, parts);
            return weight;
        }
        catch
        {
            weight.Dispose();
            throw;
        }
    }

    private void Pack(CudaLinearWeight weight, IReadOnlyList<IRowSource> parts)
    {
        bool gateUp = weight.Layout == LinearLayout.GateUp;
        long rowBytes = (long)weight.InFeatures * sizeof(float);
        int chunk = (int)Math.Clamp(PackChunkBytes / rowBytes / 32 * 32, 32, (weight.OutFeatures + 31) / 32 * 32);
        var packer = new WeightPacker(weight, chunk);
        var buffer = new byte[(int)(Math.Min(chunk, weight.OutFeatures) * rowBytes)];
        for (int first = 0; first < weight.OutFeatures; first += chunk)
        {
            int count = Math.Min(chunk, weight.OutFeatures - first), begin = 0;
            packer.Clear();
            for (int i = 0; i < parts.Count; i++)
            {
                int from = Math.Max(first, begin), to = Math.Min(first + count, begin + parts[i].Rows);
                PackRows(packer, parts[i], gateUp ? i : 0, from - begin, to - from, from - first, buffer);
                begin += gateUp ? 0 : parts[i].Rows;
            }

            int tile = packer.TileOf(first);
            Stage(packer.Tiles(count), weight.Data + (nint)((long)tile * weight.TileBytes));
            Stage(packer.Scales(count), weight.Scales + (nint)((long)tile * weight.TileScales * sizeof(float)));
        }
    }

    private static void PackRows(WeightPacker packer, IRowSource source, int part, int firstRow, int count, int feature, byte[] buffer)
    {
        if (count <= 0)
        {
            return;
        }

        int rowBytes = source.Columns * source.DType.Size();
        source.Read(firstRow, count, buffer.AsSpan(0, count * rowBytes));
        for (int i = 0; i < count; i++)
        {
            if (!packer.Pack(buffer.AsSpan(i * rowBytes, rowBytes), source.DType, part, feature + i))
            {
                throw new BadInputException($"Tensor {source.Name} has a value that is NaN or infinite in row {firstRow + i}.");
            }
        }
    }
}
