using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// A weight in the order in which the products read it: tiles of output features (8 for bf16 and int8, 32 for float32), in each units of 64 input features. A
/// tile and 32 features of bf16 are [8][32]; a tile and a unit of int8 are [8][4 octets][2 halves][8]; a tile and 4 features of float32 are [32][4]. Gate and up
/// tiles alternate; in float32 a tile holds 16 gates, then the 16 ups of the same outputs. Feature counts are padded with zeros.
/// </summary>
internal sealed class CudaLinearWeight : LinearWeight
{
    internal const int UnitFeatures = 64;

    private readonly CudaMemory _data;
    private readonly CudaMemory? _scales;

    internal CudaLinearWeight(int inFeatures, int outFeatures, DType type, LinearLayout layout, Func<long, CudaMemory> allocate)
    {
        InFeatures = inFeatures;
        OutFeatures = outFeatures;
        DType = type;
        Layout = layout;
        int parts = layout == LinearLayout.GateUp ? 2 : 1;
        Units = (inFeatures + UnitFeatures - 1) / UnitFeatures;
        Tiles = type == DType.F32 ? Ceiling(outFeatures * parts, RowsOfTile) : Ceiling(outFeatures, RowsOfTile) * parts;
        if (type == DType.F32 && parts == 2)
        {
            Tiles = Ceiling(outFeatures, RowsOfTile / 2);
        }

        _data = allocate((long)Tiles * TileBytes);
        try
        {
            _scales = type == DType.I8 ? allocate((long)Tiles * TileScales * sizeof(float)) : null;
        }
        catch
        {
            _data.Dispose();
            throw;
        }
    }

    public override int InFeatures { get; }

    public override int OutFeatures { get; }

    public override DType DType { get; }

    public override LinearLayout Layout { get; }

    public override long Bytes => _data.Bytes + (_scales?.Bytes ?? 0);

    /// <summary>Units of 64 input features.</summary>
    internal int Units { get; }

    /// <summary>Tiles of output features, gates and ups counted.</summary>
    internal int Tiles { get; }

    /// <summary>Output features of a tile.</summary>
    internal int RowsOfTile => DType == DType.F32 ? 32 : 8;

    /// <summary>Bytes of a tile over all input features.</summary>
    internal int TileBytes => Units * UnitFeatures * RowsOfTile * DType.Size();

    /// <summary>Scales of a tile: [units][8].</summary>
    internal int TileScales => Units * 8;

    /// <summary>First byte of the tiles.</summary>
    internal nint Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data.Address == 0, this);
            return _data.Address;
        }
    }

    /// <summary>First of the scales; 0 where there are none.</summary>
    internal nint Scales => _scales?.Address ?? 0;

    protected override void Dispose(bool disposing)
    {
        _data.Dispose();
        _scales?.Dispose();
    }

    private static int Ceiling(int count, int lot) => (count + lot - 1) / lot;
}
