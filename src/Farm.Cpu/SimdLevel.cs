namespace Farm.Cpu;

/// <summary>The instruction sets that the kernels are compiled for; the best one the CPU has is chosen at run time.</summary>
public enum SimdLevel
{
    /// <summary>What the compiler makes of plain C++ for the architecture's baseline (SSE2, NEON).</summary>
    Portable = 0,

    /// <summary>AVX2 and FMA.</summary>
    Avx2 = 1,

    /// <summary>AVX-512 F, BW, DQ and VL.</summary>
    Avx512 = 2,

    /// <summary>AVX-512 with VNNI, int8 dot products.</summary>
    Avx512Vnni = 3,

    /// <summary>The above with AVX512_BF16, bf16 dot products.</summary>
    Avx512Bf16 = 4,
}
