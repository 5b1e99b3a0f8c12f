using Farm.Conformance;
using Farm.Core;
using Farm.Reference;

namespace Farm.Cpu.Tests;

/// <summary>Activations rounded to bfloat16 before products with bfloat16 weights.</summary>
[RequiresSimd(SimdLevel.Avx512Bf16)]
public sealed class Bf16ActivationTests
{
    private static readonly int[] RowCounts = [1, 2, 7, 16, 17, 33, 65];
    private static readonly int[] Features = [1, 2, 31, 64, 65, 257];
    private static readonly int[] Outputs = [1, 15, 16, 33, 100, 130];

    public static IEnumerable<object[]> Cases() =>
        from l in Pairwise.Cover(RowCounts.Length, Features.Length, Outputs.Length)
        select new object[] { RowCounts[l[0]], Features[l[1]], Outputs[l[2]] };

    [ConformanceTheory]
    [MemberData(nameof(Cases))]
    public void Inputs_that_bfloat16_holds_give_the_product(int rows, int features, int outputs)
    {
        float[] inputs = Array.ConvertAll(TestData.Uniform(rows + features, rows * features), BFloat16.Round);
        Check(rows, features, outputs, inputs, inputs);
    }

    [ConformanceTheory]
    [MemberData(nameof(Cases))]
    public void Other_inputs_give_the_product_of_their_rounding(int rows, int features, int outputs)
    {
        float[] inputs = TestData.Uniform(rows + features, rows * features);
        Check(rows, features, outputs, inputs, Array.ConvertAll(inputs, BFloat16.Round));
    }

    [ConformanceFact]
    public void Without_the_option_inputs_are_not_rounded()
    {
        const int Width = 64;
        float[] inputs = TestData.Uniform(1, Width);
        using var plain = new CpuBackend(1, SimdLevel.Avx512Bf16);
        using var rounding = new CpuBackend(1, SimdLevel.Avx512Bf16, bf16Activations: true);
        Assert.False(plain.Bf16Activations);
        Assert.True(rounding.Bf16Activations);
        float[] rounded = Product(rounding, DType.BF16, 1, Width, 33, inputs);
        Assert.NotEqual(Product(plain, DType.BF16, 1, Width, 33, inputs), rounded);

        // Only bfloat16 weights ask for it.
        Assert.Equal(Product(plain, DType.F32, 1, Width, 33, inputs), Product(rounding, DType.F32, 1, Width, 33, inputs));
    }

    private static void Check(int rows, int features, int outputs, float[] inputs, float[] effective)
    {
        using var cpu = new CpuBackend(2, SimdLevel.Avx512Bf16, bf16Activations: true);
        using var reference = new ReferenceBackend();
        float[] got = Product(cpu, DType.BF16, rows, features, outputs, inputs);
        float[] want = Product(reference, DType.BF16, rows, features, outputs, effective);
        float[] weights = Weights(features, outputs);
        for (int i = 0; i < got.Length; i++)
        {
            double x = Norm(effective.AsSpan(i / outputs * features, features)), w = Norm(weights.AsSpan(i % outputs * features, features));
            double bound = Tolerances.Dot(DType.BF16, features, x, w, normalised: false);
            Assert.True(Math.Abs((double)got[i] - want[i]) <= bound,
                $"{rows} rows of {features} to {outputs} at [{i / outputs}, {i % outputs}]: got {got[i]:R}, expected {want[i]:R} within {bound:G3}");
        }
    }

    private static float[] Product(IBackend backend, DType storage, int rows, int features, int outputs, float[] inputs)
    {
        using var weight = backend.PackLinear([new ArraySource("w", outputs, features, DType.BF16, Weights(features, outputs))], storage);
        using var inputMemory = backend.Allocate((long)rows * features * sizeof(float));
        using var outputMemory = backend.Allocate((long)rows * outputs * sizeof(float));
        Tensor input = inputMemory.Tensor(DType.F32, rows, features), output = outputMemory.Tensor(DType.F32, rows, outputs);
        backend.Upload<float>(inputs, input);
        backend.Linear(input, weight, output);
        var values = new float[rows * outputs];
        backend.Download(output, values.AsSpan());
        return values;
    }

    private static float[] Weights(int features, int outputs) =>
        Array.ConvertAll(TestData.Uniform(features + outputs + 7, features * outputs), BFloat16.Round);

    private static double Norm(ReadOnlySpan<float> values)
    {
        double squares = 0;
        foreach (float x in values)
        {
            squares += (double)x * x;
        }

        return Math.Sqrt(squares);
    }
}

/// <summary>What every processor refuses.</summary>
public sealed class Bf16ActivationOptionTests
{
    [Theory]
    [InlineData(SimdLevel.Portable)]
    [InlineData(SimdLevel.Avx2)]
    [InlineData(SimdLevel.Avx512)]
    [InlineData(SimdLevel.Avx512Vnni)]
    public void A_lower_level_refuses_bf16_activations(SimdLevel level) =>
        Assert.Throws<BadInputException>(() => new CpuBackend(1, level, bf16Activations: true));
}
