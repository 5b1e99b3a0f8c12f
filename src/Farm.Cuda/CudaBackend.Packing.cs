using Farm.Core;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    // Rows are read, packed and sent in chunks of about this size, so that loading holds little beside the packed weight.
    private const long PackChunkBytes = 8 << 20;

    /// <inheritdoc/>
    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated)
    {
        var all = new LinearParts(parts, storage, layout);
        var weight = new CudaLinearWeight(all.InFeatures, all.OutFeatures, storage, layout, bytes => CudaMemory.Create(_device, Queue, bytes));
        try
        {
            Pack(weight, all);
            return weight;
        }
        catch
        {
            weight.Dispose();
            throw;
        }
    }

    private void Pack(CudaLinearWeight weight, LinearParts parts)
    {
        long rowBytes = (long)weight.InFeatures * sizeof(float);
        int chunk = (int)Math.Clamp(PackChunkBytes / rowBytes / 32 * 32, 32, (weight.OutFeatures + 31) / 32 * 32);
        var packer = new WeightPacker(weight, chunk);
        var buffer = new byte[(int)(Math.Min(chunk, weight.OutFeatures) * rowBytes)];
        for (int first = 0; first < weight.OutFeatures; first += chunk)
        {
            int count = Math.Min(chunk, weight.OutFeatures - first);
            packer.Clear();
            foreach (var (source, part, begin) in parts.Places())
            {
                int from = Math.Max(first, begin), to = Math.Min(first + count, begin + source.Rows);
                PackRows(packer, source, part, from - begin, to - from, from - first, buffer);
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
                throw LinearParts.NotFinite(source, firstRow + i);
            }
        }
    }
}
