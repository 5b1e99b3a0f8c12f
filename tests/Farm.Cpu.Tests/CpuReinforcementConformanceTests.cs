using Farm.Conformance;
using Farm.Core;

namespace Farm.Cpu.Tests;

[RequiresSimd(SimdLevel.Portable)]
public sealed class PortableReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Portable);
}

[RequiresSimd(SimdLevel.Avx2)]
public sealed class Avx2ReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx2);
}

[RequiresSimd(SimdLevel.Avx512)]
public sealed class Avx512ReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx512);
}

[RequiresSimd(SimdLevel.Avx512Vnni)]
public sealed class Avx512VnniReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx512Vnni);
}

[RequiresSimd(SimdLevel.Avx512Bf16)]
public sealed class Avx512Bf16ReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => new CpuBackend(threads, SimdLevel.Avx512Bf16);
}
