using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Farm.Cli.Machine;

/// <summary>The instruction sets of this CPU that kernels could use.</summary>
internal static class CpuFeatures
{
    /// <summary>Their names, as compilers spell them.</summary>
    public static IReadOnlyList<string> Names()
    {
        (string Name, bool Present)[] features =
        [
            ("sse4.2", Sse42.IsSupported), ("avx", Avx.IsSupported), ("avx2", Avx2.IsSupported), ("fma", Fma.IsSupported),
            ("avx512f", Avx512F.IsSupported), ("avx512bw", Avx512BW.IsSupported), ("avx512dq", Avx512DQ.IsSupported),
            // CPUID leaf 7 (Intel SDM, volume 2A, CPUID); the runtime has no flags for these two alone.
            ("avx512vnni", Avx512F.IsSupported && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0),
            ("avx512bf16", Avx512F.IsSupported && (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0),
            ("neon", AdvSimd.IsSupported), ("dotprod", Dp.IsSupported),
        ];
        return [.. features.Where(f => f.Present).Select(f => f.Name)];
    }
}
