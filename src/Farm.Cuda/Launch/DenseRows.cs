using Farm.Core;

namespace Farm.Cuda.Launch;

/// <summary>How the blocks of a dense product share out the rows that they prepare before it (kernels/linear_dense.cuh), and the scratch memory that takes.</summary>
internal static class DenseRows
{
    /// <summary>Rows of a tile, which a job prepares.</summary>
    internal const int Tile = 16;

    /// <summary>A float for each row of a tile and each segment of K: the sums of squares of a norm.</summary>
    internal const long SquareBytes = Tile * Segments * sizeof(float);

    /// <summary>Scales of the int8 rows of a tile, for a unit of 64 features.</summary>
    internal const long ScaleBytes = Tile * sizeof(float);

    /// <summary>Bytes of the three counters by which blocks find what is left to prepare; 0 between launches.</summary>
    internal const int CounterBytes = 256;

    private const int Segments = 8, UnitsOfPart = 4;

    /// <summary>Parts of K: with a norm its segments, whose sums of squares are chains; otherwise few units each.</summary>
    internal static int Parts(int units, bool norm) => norm ? Segments : Grid.Over(units, UnitsOfPart);

    /// <summary>Lots of jobs, a job for each warp of a block.</summary>
    internal static int Lots(int rowTiles, int parts, Kernel kernel) => Grid.Over((long)rowTiles * parts, kernel.Threads / 32);

    /// <summary>Bytes that a tile of prepared rows takes for a unit: as float32 beside weights of float32, as bytes, or as one or three terms of bf16.</summary>
    internal static long Bytes(DType weights, bool bf16Activations) => Tile * CudaLinearWeight.UnitFeatures * (weights switch
    {
        DType.F32 => 4L,
        DType.I8 => 1,
        _ => bf16Activations ? 2 : 6,
    });
}
