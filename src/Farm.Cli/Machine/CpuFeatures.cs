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
            ("avx512vnni", HasAvx512Vnni()),
            ("neon", AdvSimd.IsSupported), ("dotprod", Dp.IsSupported),
        ];
        return [.. features.Where(f => f.Present).Select(f => f.Name)];
    }

    /// <summary>CPUID leaf 7, ECX bit 11 (Intel SDM, volume 2A, CPUID); the runtime has no flag for it alone.</summary>
    private static bool HasAvx512Vnni() => Avx512F.IsSupported && X86Base.IsSupported && (X86Base.CpuId(7, 0).Ecx & (1 << 11)) != 0;
}
