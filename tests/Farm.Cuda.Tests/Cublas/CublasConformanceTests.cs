using Farm.Conformance;
using Farm.Core;

namespace Farm.Cuda.Tests.Cublas;

/// <summary>The operations of training with every product given to the stand-in for cuBLASLt, against the float64 reference.</summary>
public sealed class CublasConformanceTests : TrainingConformance
{
    protected override ITrainingBackend CreateBackend(int threads) => Standin.Backend();
}
