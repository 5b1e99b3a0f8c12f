using Farm.Conformance;
using Farm.Core;

namespace Farm.Cuda.Tests;

/// <summary>The operations of inference on the simulated GPU, against the float64 reference.</summary>
public sealed class CudaConformanceTests : BackendConformance
{
    // A simulated draw takes a tenth of a millisecond; which token is drawn is compared with the reference elsewhere.
    protected override int Draws => 100_000;

    protected override IBackend CreateBackend(int threads) => Simulated.Backend();
}

/// <summary>The operations of training on the simulated GPU, against the float64 reference.</summary>
public sealed class CudaTrainingConformanceTests : TrainingConformance
{
    protected override ITrainingBackend CreateBackend(int threads) => Simulated.Backend();
}

/// <summary>The operations of learning from feedback on the simulated GPU, against the float64 reference.</summary>
public sealed class CudaReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => Simulated.Backend();
}
