namespace Farm.Cuda.Launch;

internal static partial class InferenceKernels
{
    /// <summary>Most bytes of the masses of blocks of 256 tokens: vocabularies up to 3 million.</summary>
    internal const int MaxMassBytes = 44 << 10;

    internal static readonly Kernel SampleWarp = new("sampling", "sample_warp", 32, "a row", StaticShared: 1176, MaxDynamicShared: MaxMassBytes, Registers: 64);
    internal static readonly Kernel SampleBlock = new("sampling", "sample_block", 512, "a row", StaticShared: 3480, MaxDynamicShared: MaxMassBytes, Registers: 64);
    internal static readonly Kernel LogProbGatherWarp = new("sampling", "logprob_gather_warp", 32, "a row", Registers: 40);
    internal static readonly Kernel LogProbGatherBlock = new("sampling", "logprob_gather_block", 256, "a row", StaticShared: 160, Registers: 40);
}
