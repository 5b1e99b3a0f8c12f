using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    // A product below either stays on Farm's kernels, whose launch is part of a graph; where the library begins to gain is not yet measured on a GPU.
    private const int LeastLibrarySide = 64;
    private const long LeastLibraryProduct = 1L << 24;

    /// <summary>Whether cuBLASLt does the large products of <see cref="MatMul"/>; packed weights (<see cref="Linear"/>) stay on Farm's kernels, whose layout they have.</summary>
    public bool UsesCublasLt => _blas is not null;

    /// <summary>Gives the library products of every size; for tests.</summary>
    internal bool LibraryTakesAll { get; set; }

    /// <summary>Products that the library did.</summary>
    internal long LibraryProducts => _blas?.Products ?? 0;

    /// <summary>
    /// The product by cuBLASLt, with the operands that Farm's kernel would get: float32 as they are, or bfloat16 planes. Terms of a float32 operand are products
    /// of their own that add up in c, the smallest first as in the kernel. False, with nothing done, where there is no library, the product is small, or the library has no algorithm for it.
    /// </summary>
    private bool LibraryProduct(Planes a, Planes b, bool bf16, int terms, bool transposeA, bool transposeB, Tensor c, int k, bool accumulate)
    {
        if (_blas is null || !(LibraryTakesAll || (Math.Min(c.Rows, Math.Min(c.Columns, k)) >= LeastLibrarySide && (double)c.Rows * c.Columns * k >= LeastLibraryProduct)))
        {
            return false;
        }

        if (_scratch.Measures)
        {
            // Which algorithm it takes, and whether there is one, the library says of real operands.
            Scratch((long)CublasLt.MostWorkspace);
            return false;
        }

        long plane = a.Size * sizeof(ushort);
        var product = new CublasProduct(bf16, transposeA, transposeB, c.Rows, c.Columns, k, a.Stride, b.Stride, c.Stride,
            CublasProduct.AlignmentOf(terms > 1 ? a.Address | plane : a.Address), CublasProduct.AlignmentOf(b.Address), CublasProduct.AlignmentOf(c.Address));
        _device.Enter();
        if (_blas.Choose(product) is not { } algorithm)
        {
            return false;
        }

        nint workspace = algorithm.Workspace > 0 ? Scratch((long)algorithm.Workspace) : 0, stream = Queue.BeginCall();
        for (int term = terms - 1; term >= 0; term--)
        {
            _blas.Multiply(product, algorithm, a.Address + (nint)(term * plane), b.Address, c.Address, accumulate || term < terms - 1, workspace, stream);
        }

        Queue.EndCall("running a product of cuBLASLt");
        return true;
    }
}
