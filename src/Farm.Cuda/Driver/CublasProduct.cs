using System.Runtime.InteropServices;

namespace Farm.Cuda.Driver;

/// <summary>
/// A product c [M, N] = op(a) [M, K] op(b) [K, N] by rows, as cuBLASLt's choice of an algorithm depends on it. Strides are elements from row to row,
/// alignments bytes that divide the addresses. a and b are bfloat16 or both float32; c is float32.
/// </summary>
internal readonly record struct CublasProduct(
    bool Bf16, bool TransposeA, bool TransposeB, int M, int N, int K, int StrideA, int StrideB, int StrideC, int AlignmentA, int AlignmentB, int AlignmentC)
{
    /// <summary>The largest power of two, up to 256, that divides an address.</summary>
    internal static int AlignmentOf(long address) => (int)((address | 256) & -(address | 256));
}

/// <summary>What cublasLtMatmulAlgoGetHeuristic writes: the algorithm, which cublasLtMatmul reads from the same address, and what it needs.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CublasAlgorithm
{
    /// <summary>The library's own; opaque.</summary>
    internal fixed ulong Data[8];

    /// <summary>Bytes of workspace.</summary>
    internal nuint Workspace;

    /// <summary>Whether the algorithm can be used.</summary>
    internal CublasStatus State;

    internal float Waves;
    internal fixed int Reserved[4];
}
