using Farm.Conformance;
using Farm.Core;

namespace Farm.Cuda.Tests.Cublas;

/// <summary>The conformance suite's products, every one given to the stand-in for cuBLASLt, against the float64 reference.</summary>
public sealed class CublasConformanceTests
{
    [Theory]
    [MemberData(nameof(TrainingConformance.MatMulCases), MemberType = typeof(TrainingConformance))]
    [MemberData(nameof(TrainingConformance.LargeMatMulCases), MemberType = typeof(TrainingConformance))]
    public void MatMul_matches_the_reference(int m, int n, int k, bool transposeA, bool transposeB, bool accumulate, int pad, DType type)
    {
        var suite = new Suite();
        long before = Standin.Counts().Products;
        suite.MatMul_matches_the_reference(m, n, k, transposeA, transposeB, accumulate, pad, type);
        // Float32 meets bfloat16 in three products; nothing is multiplied where a side is empty.
        Assert.Equal(m * n * k == 0 ? 0 : type == DType.BF16 ? 3 : 1, Standin.Counts().Products - before);
    }

    [Fact]
    public void An_empty_inner_dimension_gives_zero_and_keeps_what_accumulates() => new Suite().An_empty_inner_dimension_gives_zero_and_keeps_what_accumulates();

    [Fact]
    public void MatMul_refuses_wrong_shapes() => new Suite().MatMul_refuses_wrong_shapes();

    private sealed class Suite : TrainingConformance
    {
        protected override ITrainingBackend CreateBackend(int threads) => Standin.Backend();
    }
}
