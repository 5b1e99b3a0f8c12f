using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    // Products of planes for matmul_bf16, four bits each, the first to do lowest: a's plane, then b's. Float32 in three terms times bfloat16.
    private const int OnePair = 0x0, ThreePairs = 0x012;

    /// <summary>What training's products and attention multiply; may change between operations.</summary>
    public CudaCompute Compute { get; set; }

    /// <summary>Side of a product's tile, 64 or 128; 0 to choose by the size. The result has the same bits for both.</summary>
    internal int MatMulSide { get; set; }

    /// <inheritdoc/>
    public void MatMul(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate = false)
    {
        const string Op = nameof(MatMul);
        int m = transposeA ? a.Columns : a.Rows, k = transposeA ? a.Rows : a.Columns;
        int n = transposeB ? b.Rows : b.Columns, kb = transposeB ? b.Columns : b.Rows;
        Require(k == kb, Op, "the inner sizes of a and b agree", nameof(b));
        RequireF32(a, a.Rows, a.Columns, Op, nameof(a));
        Require(b.DType is DType.F32 or DType.BF16, Op, "b is F32 or BF16", nameof(b));
        RequireF32(c, m, n, Op, nameof(c));
        _scratch.Reset();
        Product(a, transposeA, b, transposeB, c, accumulate);
    }

    /// <summary>The product within an operation; what it takes of the scratch memory is free again when it returns.</summary>
    private void Product(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor c, bool accumulate)
    {
        int m = c.Rows, n = c.Columns, k = transposeA ? a.Rows : a.Columns;
        if (m == 0 || n == 0)
        {
            return;
        }

        if (k == 0)
        {
            Clear(accumulate ? c.SliceRows(0, 0) : c);
            return;
        }

        var mark = _scratch.Mark();
        int side = ProductSide(m, n);
        var grid = new Grid(checked(Grid.Over(m, side) * Grid.Over(n, side)));
        if (Compute == CudaCompute.F32 && b.DType == DType.F32)
        {
            if (!LibraryProduct(new Planes(a.Address, 0, a.Stride), new Planes(b.Address, 0, b.Stride), bf16: false, terms: 1, transposeA, transposeB, c, k, accumulate))
            {
                a = OnSixteenBytes(a);
                b = OnSixteenBytes(b);
                bool wide = c.Address % 16 == 0 && c.Stride % 4 == 0;
                Launch(TrainingKernels.MatMulF32(transposeA, transposeB, side), grid, a, b, c, a.Stride, b.Stride, c.Stride, m, n, k, accumulate ? 1 : 0, wide ? 1 : 0);
            }
        }
        else
        {
            // A float32 operand is exact in three terms; b is bfloat16 already, or rounded as asked.
            int terms = Compute == CudaCompute.F32 ? 3 : 1;
            Planes x = PlanesOf(a, terms), y = PlanesOf(b, 1);
            if (!LibraryProduct(x, y, bf16: true, terms, transposeA, transposeB, c, k, accumulate))
            {
                Launch(TrainingKernels.MatMulBf16(transposeA, transposeB, side), grid with { DynamicShared = 4 * 2 * side * 32 * 2 }, x.Address, y.Address, c, x.Size, y.Size,
                    x.Stride, y.Stride, c.Stride, m, n, k, terms == 3 ? ThreePairs : OnePair, terms, accumulate ? 1 : 0);
            }
        }

        _scratch.Release(mark);
    }

    // Large tiles read less; small ones keep all multiprocessors busy.
    private int ProductSide(int m, int n) =>
        MatMulSide > 0 ? MatMulSide : (long)Grid.Over(m, 128) * Grid.Over(n, 128) >= Multiprocessors ? 128 : 64;

    private static bool LiesOnSixteenBytes(Tensor tensor) =>
        tensor.Address % 16 == 0 && (long)tensor.Stride * tensor.DType.Size() % 16 == 0;

    private Tensor OnSixteenBytes(Tensor tensor)
    {
        if (LiesOnSixteenBytes(tensor))
        {
            return tensor;
        }

        int pitch = (tensor.Columns + 3) / 4 * 4;
        nint packed = Scratch((long)tensor.Rows * pitch * sizeof(float));
        Launch(TrainingKernels.PackF32, new Grid(tensor.Rows, Grid.Over(pitch, 256)), tensor, packed, tensor.Stride, tensor.Columns, pitch);
        return tensor with { Address = packed, Stride = pitch };
    }

    private Planes PlanesOf(Tensor tensor, int terms)
    {
        if (tensor.DType == DType.BF16 && LiesOnSixteenBytes(tensor))
        {
            return new Planes(tensor.Address, 0, tensor.Stride);
        }

        int pitch = (tensor.Columns + 7) / 8 * 8;
        if (tensor.DType == DType.F32)
        {
            return Pack(tensor, terms, 1, tensor.Columns, pitch);
        }

        nint packed = Scratch((long)tensor.Rows * pitch * sizeof(ushort));
        Launch(TrainingKernels.PackFromBf16, new Grid(tensor.Rows, Grid.Over(pitch, 256)), tensor, packed, tensor.Stride, tensor.Columns, pitch);
        return new Planes(packed, 0, pitch);
    }

    // Rows of groups of `width` float32 as bfloat16 terms, each group filled up to `pitch` with zeros.
    private Planes Pack(Tensor tensor, int terms, int groups, int width, int pitch)
    {
        int row = checked(groups * pitch);
        long plane = (long)tensor.Rows * row;
        nint packed = Scratch(terms * plane * sizeof(ushort));
        Launch(terms == 1 ? TrainingKernels.PackBf16Of1 : TrainingKernels.PackBf16Of3, new Grid(tensor.Rows, Grid.Over(row, 512)), tensor, packed, plane, tensor.Stride, groups, width, pitch);
        return new Planes(packed, plane, row);
    }

    private void Clear(Tensor tensor)
    {
        for (int row = 0; row < (tensor.IsContiguous ? Math.Min(tensor.Rows, 1) : tensor.Rows); row++)
        {
            Queue.Fill(tensor.SliceRows(row, 1).Address, 0, tensor.IsContiguous ? tensor.Bytes : (long)tensor.Columns * tensor.DType.Size());
        }
    }

    /// <summary>A bfloat16 operand: planes of <paramref name="Size"/> elements whose sum it is, rows <paramref name="Stride"/> elements apart.</summary>
    private readonly record struct Planes(nint Address, long Size, int Stride);
}
