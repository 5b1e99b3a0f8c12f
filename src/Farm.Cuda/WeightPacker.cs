using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Cuda;

/// <summary>Packs rows into the tiles of <see cref="CudaLinearWeight"/>, so many whole tiles at a time.</summary>
internal sealed class WeightPacker
{
    private readonly CudaLinearWeight _weight;
    private readonly float[] _row;
    private readonly byte[] _tiles;
    private readonly float[] _scales;

    /// <summary>Packs up to <paramref name="rows"/> output features at a time, a multiple of 32.</summary>
    internal WeightPacker(CudaLinearWeight weight, int rows)
    {
        _weight = weight;
        _row = new float[weight.Units * CudaLinearWeight.UnitFeatures];
        int tiles = TileOf(rows);
        _tiles = new byte[(long)tiles * weight.TileBytes];
        _scales = weight.DType == DType.I8 ? new float[tiles * weight.TileScales] : [];
    }

    /// <summary>The packed bytes of the first <paramref name="rows"/> output features of a chunk.</summary>
    internal ReadOnlySpan<byte> Tiles(int rows) => _tiles.AsSpan(0, TileOf(rows) * _weight.TileBytes);

    /// <summary>Their scales.</summary>
    internal ReadOnlySpan<float> Scales(int rows) => _scales.AsSpan(0, _scales.Length == 0 ? 0 : TileOf(rows) * _weight.TileScales);

    /// <summary>Tiles that so many output features fill, which is also the first tile after them.</summary>
    internal int TileOf(int rows)
    {
        int parts = _weight.Layout == LinearLayout.GateUp ? 2 : 1, perTile = _weight.RowsOfTile;
        return _weight.DType == DType.F32 ? ((rows * parts) + perTile - 1) / perTile : (rows + perTile - 1) / perTile * parts;
    }

    /// <summary>Begins a chunk: everything is zero.</summary>
    internal void Clear()
    {
        Array.Clear(_tiles);
        Array.Clear(_scales);
    }

    /// <summary>Packs one row of a part (0 or 1) at an output feature of the chunk; false if a value is not finite.</summary>
    internal bool Pack(ReadOnlySpan<byte> source, DType type, int part, int feature)
    {
        int columns = _weight.InFeatures;
        if (!Widen(source, type, _row.AsSpan(0, columns)))
        {
            return false;
        }

        bool gateUp = _weight.Layout == LinearLayout.GateUp;
        if (_weight.DType == DType.F32)
        {
            int tile = gateUp ? feature / 16 : feature / 32, lane = gateUp ? (feature % 16) + (16 * part) : feature % 32;
            PackF32(MemoryMarshal.Cast<byte, float>(_tiles.AsSpan(tile * _weight.TileBytes, _weight.TileBytes)), lane);
            return true;
        }

        int index = gateUp ? (feature / 8 * 2) + part : feature / 8, inTile = feature % 8;
        var bytes = _tiles.AsSpan(index * _weight.TileBytes, _weight.TileBytes);
        if (_weight.DType == DType.BF16)
        {
            PackBF16(MemoryMarshal.Cast<byte, ushort>(bytes), inTile);
        }
        else
        {
            PackI8(MemoryMarshal.Cast<byte, sbyte>(bytes), _scales.AsSpan(index * _weight.TileScales, _weight.TileScales), inTile);
        }

        return true;
    }

    // False if a value is NaN or infinite.
    private static bool Widen(ReadOnlySpan<byte> source, DType type, Span<float> row)
    {
        switch (type)
        {
            case DType.F32:
                MemoryMarshal.Cast<byte, float>(source)[..row.Length].CopyTo(row);
                break;
            case DType.BF16:
                var halves = MemoryMarshal.Cast<byte, ushort>(source);
                for (int k = 0; k < row.Length; k++)
                {
                    row[k] = BitConverter.UInt32BitsToSingle((uint)halves[k] << 16);
                }

                break;
            default:
                var small = MemoryMarshal.Cast<byte, Half>(source);
                for (int k = 0; k < row.Length; k++)
                {
                    row[k] = (float)small[k];
                }

                break;
        }

        bool finite = true;
        foreach (float value in row)
        {
            finite &= float.IsFinite(value);
        }

        return finite;
    }

    private static ushort RoundToBF16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private void PackF32(Span<float> tile, int lane)
    {
        for (int k = 0; k < _weight.InFeatures; k++)
        {
            tile[(((k / 4 * 32) + lane) * 4) + (k % 4)] = _row[k];
        }
    }

    private void PackBF16(Span<ushort> tile, int inTile)
    {
        for (int k = 0; k < _weight.InFeatures; k++)
        {
            tile[(((k / 32 * 8) + inTile) * 32) + (k % 32)] = RoundToBF16(_row[k]);
        }
    }

    private void PackI8(Span<sbyte> tile, Span<float> scales, int inTile)
    {
        Array.Clear(_row, _weight.InFeatures, _row.Length - _weight.InFeatures);
        for (int unit = 0; unit < _weight.Units; unit++)
        {
            var group = _row.AsSpan(unit * CudaLinearWeight.UnitFeatures, CudaLinearWeight.UnitFeatures);
            float peak = 0;
            foreach (float value in group)
            {
                peak = MathF.Max(peak, MathF.Abs(value));
            }

            float scale = peak / 127f;
            scales[(unit * 8) + inTile] = scale;
            for (int k = 0; k < group.Length && scale > 0; k++)
            {
                tile[(unit * 512) + (inTile * 64) + (k % 32 / 8 * 16) + (k / 32 * 8) + (k % 8)] = (sbyte)MathF.Round(group[k] / scale);
            }
        }
    }
}
