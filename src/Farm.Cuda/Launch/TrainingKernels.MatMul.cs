namespace Farm.Cuda.Launch;

// Products: the letters say whether a and b are turned, the number is the side of a block's tile.
internal static partial class TrainingKernels
{
    internal static readonly Kernel MatMulF32Nn64 = F32("nn", 64), MatMulF32Nt64 = F32("nt", 64), MatMulF32Tn64 = F32("tn", 64), MatMulF32Tt64 = F32("tt", 64);
    internal static readonly Kernel MatMulF32Nn128 = F32("nn", 128), MatMulF32Nt128 = F32("nt", 128), MatMulF32Tn128 = F32("tn", 128), MatMulF32Tt128 = F32("tt", 128);
    internal static readonly Kernel MatMulBf16Nn64 = Bf16("nn", 64), MatMulBf16Nt64 = Bf16("nt", 64), MatMulBf16Tn64 = Bf16("tn", 64), MatMulBf16Tt64 = Bf16("tt", 64);
    internal static readonly Kernel MatMulBf16Nn128 = Bf16("nn", 128), MatMulBf16Nt128 = Bf16("nt", 128), MatMulBf16Tn128 = Bf16("tn", 128), MatMulBf16Tt128 = Bf16("tt", 128);

    private static readonly Kernel[] F32Products =
    [
        MatMulF32Nn64, MatMulF32Nt64, MatMulF32Tn64, MatMulF32Tt64, MatMulF32Nn128, MatMulF32Nt128, MatMulF32Tn128, MatMulF32Tt128,
    ];

    private static readonly Kernel[] Bf16Products =
    [
        MatMulBf16Nn64, MatMulBf16Nt64, MatMulBf16Tn64, MatMulBf16Tt64, MatMulBf16Nn128, MatMulBf16Nt128, MatMulBf16Tn128, MatMulBf16Tt128,
    ];

    /// <summary>The float32 product with tiles of <paramref name="side"/>, 64 or 128.</summary>
    internal static Kernel MatMulF32(bool transposeA, bool transposeB, int side) => F32Products[Place(transposeA, transposeB, side)];

    /// <summary>The tensor-core product with tiles of <paramref name="side"/>, 64 or 128.</summary>
    internal static Kernel MatMulBf16(bool transposeA, bool transposeB, int side) => Bf16Products[Place(transposeA, transposeB, side)];

    private static int Place(bool transposeA, bool transposeB, int side) => (side == 128 ? 4 : 0) + (transposeA ? 2 : 0) + (transposeB ? 1 : 0);

    private static Kernel F32(string letters, int side) =>
        new("matmul_f32", $"matmul_f32_{letters}_{side}", side * side / 64, $"x: tiles of {side} x {side}", StaticShared: 3 * 2 * side * 16 * 4, Registers: 168);

    private static Kernel Bf16(string letters, int side) =>
        new("matmul_bf16", $"matmul_bf16_{letters}_{side}", side * 2, $"x: tiles of {side} x {side}", MaxDynamicShared: 4 * 2 * side * 32 * 2, Registers: side == 128 ? 128 : 96);
}
