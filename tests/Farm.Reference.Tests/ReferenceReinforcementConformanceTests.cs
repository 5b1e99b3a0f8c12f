using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>The suite of learning from feedback holds for the reference itself.</summary>
public sealed class ReferenceReinforcementConformanceTests : ReinforcementConformance
{
    protected override IReinforcementBackend CreateBackend(int threads) => new ReferenceBackend();
}
