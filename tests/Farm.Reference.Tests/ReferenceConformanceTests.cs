using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>The suite holds for the reference itself.</summary>
public sealed class ReferenceConformanceTests : BackendConformance
{
    protected override IBackend CreateBackend(int threads) => new ReferenceBackend();
}
