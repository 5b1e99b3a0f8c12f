using Farm.Conformance;
using Farm.Core;

namespace Farm.Cpu.Tests;

/// <summary>Skips a class's tests where the processor lacks the instruction set.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class RequiresSimdAttribute(SimdLevel level) : BackendAvailabilityAttribute
{
    public SimdLevel Level { get; } = level;

    public override string? SkipReason => CpuBackend.Supports(Level) ? null : $"this processor has no {Level}";
}

[RequiresSimd(SimdLevel.Portable)]
public sealed class PortableConformanceTests : BackendConformance
{
    protected override IBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Portable);
}

[RequiresSimd(SimdLevel.Avx2)]
public sealed class Avx2ConformanceTests : BackendConformance
{
    protected override IBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx2);
}

[RequiresSimd(SimdLevel.Avx512)]
public sealed class Avx512ConformanceTests : BackendConformance
{
    protected override IBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx512);
}

[RequiresSimd(SimdLevel.Avx512Vnni)]
public sealed class Avx512VnniConformanceTests : BackendConformance
{
    protected override IBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx512Vnni);
}

[RequiresSimd(SimdLevel.Avx512Bf16)]
public sealed class Avx512Bf16ConformanceTests : BackendConformance
{
    protected override IBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx512Bf16);
}
