using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>The training suite holds for the reference itself.</summary>
public sealed class ReferenceTrainingConformanceTests : TrainingConformance
{
    protected override ITrainingBackend CreateBackend(int threads) => new ReferenceBackend();
}
