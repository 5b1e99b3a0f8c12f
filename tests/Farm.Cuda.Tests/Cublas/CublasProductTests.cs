using Farm.Conformance;
using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Cublas;

/// <summary>What cuBLASLt is given, when, and in which order with Farm's own kernels; the stand-in takes its place.</summary>
public sealed class CublasProductTests
{
    private const int M = 70, N = 66, K = 100;

    public static IEnumerable<object[]> Layouts() =>
        from transposeA in new[] { false, true }
        from transposeB in new[] { false, true }
        from accumulate in new[] { false, true }
        select new object[] { transposeA, transposeB, accumulate };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Rounded_operands_are_those_of_the_own_kernels(bool transposeA, bool transposeB, bool accumulate)
    {
        var products = new Dictionary<(bool Library, CudaCompute Compute), float[]>();
        foreach (bool library in new[] { false, true })
        {
            foreach (var compute in Enum.GetValues<CudaCompute>())
            {
                using var backend = library ? Standin.Backend() : Simulated.Backend();
                backend.Compute = compute;
                products[(library, compute)] = Product(backend, transposeA, transposeB, accumulate, DType.F32);
                Assert.Equal(library ? 1 : 0, backend.LibraryProducts);
            }
        }

        float Apart(CudaCompute own, CudaCompute other) => products[(false, own)].Zip(products[(true, other)], (x, y) => Math.Abs(x - y)).Max();
        Assert.InRange(Apart(CudaCompute.F32, CudaCompute.F32), 0, 2e-5f);
        Assert.InRange(Apart(CudaCompute.BF16, CudaCompute.BF16), 0, 2e-5f);
        // Rounding shows, so the library's operands are rounded exactly where the own kernels' are.
        Assert.True(Apart(CudaCompute.F32, CudaCompute.BF16) > 1e-4);
    }

    [Fact]
    public void A_float32_operand_meets_a_bfloat16_weight_in_three_terms()
    {
        using var backend = Standin.Backend();
        using var own = Simulated.Backend();
        float[] got = Product(backend, false, true, true, DType.BF16), want = Product(own, false, true, true, DType.BF16);
        Assert.Equal(3, backend.LibraryProducts);
        Assert.InRange(got.Zip(want, (x, y) => Math.Abs(x - y)).Max(), 0, 2e-5f);
    }

    [Theory]
    [InlineData(64, 64, 4096, 1)]
    [InlineData(64, 64, 4095, 0)]
    [InlineData(63, 64, 8192, 0)]
    [InlineData(8192, 64, 63, 0)]
    public void Only_large_products_leave_the_own_kernels(int m, int n, int k, int expected)
    {
        using var backend = Standin.Backend(all: false);
        using var memory = backend.Allocate(4L * ((m * k) + (n * k) + (m * n)));
        Tensor a = memory.Tensor(DType.F32, m, k), b = memory.Tensor(DType.F32, n, k, 4L * m * k), c = memory.Tensor(DType.F32, m, n, 4L * ((m * k) + (n * k)));
        long launches = backend.Launches;
        backend.MatMul(a, false, b, true, c);
        Assert.Equal(expected, backend.LibraryProducts);
        // The own kernels pack operands that do not lie on 16 bytes first.
        Assert.Equal(expected == 1, backend.Launches == launches);
    }

    [Fact]
    public void An_algorithm_is_chosen_once_for_a_shape_and_alignment_and_never_one_that_reduces_in_place()
    {
        using var backend = Standin.Backend();
        using var memory = backend.Allocate(1 << 16);
        Tensor a = memory.Tensor(DType.F32, 8, 8), b = memory.Tensor(DType.F32, 8, 8, 4096), c = memory.Tensor(DType.F32, 8, 8, 8192);
        long before = Standin.Counts().Choices;
        backend.MatMul(a, false, b, false, c);
        backend.MatMul(a, false, b, false, c, accumulate: true);
        Assert.Equal((before + 1, 2), (Standin.Counts().Choices, Standin.Counts().Reductions));
        backend.MatMul(a with { Address = a.Address + 4 }, false, b, false, c);
        backend.MatMul(a, true, b, false, c);
        Assert.Equal(before + 3, Standin.Counts().Choices);
    }

    [Fact]
    public void Products_keep_their_place_among_the_kernels()
    {
        using var backend = Standin.Backend();
        using var memory = backend.Allocate(1 << 16);
        Tensor x = memory.Tensor(DType.F32, 4, 4), a = memory.Tensor(DType.F32, 4, 4, 4096), c = memory.Tensor(DType.F32, 4, 4, 8192), y = memory.Tensor(DType.F32, 4, 4, 12288);
        float[] identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
        for (int step = 1; step <= 5; step++)
        {
            backend.Upload<float>(Array.ConvertAll(identity, v => v * step), x);
            // Four launches before and after, as many as a graph has.
            for (int i = 0; i < 4; i++)
            {
                backend.Scale(x, 1 + i, a);
            }

            backend.MatMul(a, false, x, false, c);
            for (int i = 0; i < 4; i++)
            {
                backend.Scale(c, 1 + i, y);
            }

            var got = new float[16];
            backend.Download(y, got.AsSpan());
            Assert.Equal(Array.ConvertAll(identity, v => v * 16 * step * step), got);
        }

        Assert.True(backend.Queue.Replays > 0);
        Assert.Equal(5, backend.LibraryProducts);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void A_product_without_an_algorithm_stays_on_the_own_kernels(DType type)
    {
        using var own = Simulated.Backend();
        using var backend = Standin.Backend();
        try
        {
            Standin.Answer(CublasStatus.NotSupported, CublasStatus.Success);
            Assert.Equal(Product(own, false, true, false, type), Product(backend, false, true, false, type));
            Assert.Equal(0, backend.LibraryProducts);
        }
        finally
        {
            Standin.Answer(CublasStatus.Success, CublasStatus.Success);
        }
    }

    [Fact]
    public void A_product_that_fails_says_what_it_was_and_leaves_nothing_behind()
    {
        using var backend = Standin.Backend();
        long alive = Standin.Counts().Alive;
        try
        {
            Standin.Answer(CublasStatus.Success, CublasStatus.ExecutionFailed);
            var e = Assert.Throws<CudaException>(() => Product(backend, false, false, false, DType.F32));
            Assert.Contains("cuBLASLt failed at multiplying [70, 100] by [100, 66]: its kernel failed on the GPU (cuBLAS status 13)", e.Message, StringComparison.Ordinal);
            Assert.True(e.IsSticky);
            Standin.Answer(CublasStatus.InternalError, CublasStatus.Success);
            Assert.Contains("choosing an algorithm", Assert.Throws<CudaException>(() => Product(backend, true, false, false, DType.F32)).Message, StringComparison.Ordinal);
        }
        finally
        {
            Standin.Answer(CublasStatus.Success, CublasStatus.Success);
        }

        Assert.Equal(alive, Standin.Counts().Alive);
        Product(backend, false, false, false, DType.F32);
        Assert.Equal(1, backend.LibraryProducts);
    }

    private static float[] Product(CudaBackend backend, bool transposeA, bool transposeB, bool accumulate, DType type)
    {
        using var memory = backend.Allocate(1 << 20);
        Tensor a = memory.Tensor(DType.F32, transposeA ? K : M, transposeA ? M : K), c = memory.Tensor(DType.F32, M, N, 1 << 17);
        Tensor b = memory.Tensor(DType.F32, transposeB ? N : K, transposeB ? K : N, 2 << 17);
        backend.Upload<float>(TestData.Uniform(1, M * K), a);
        backend.Upload<float>(TestData.Uniform(2, N * K), b);
        backend.Upload<float>(TestData.Uniform(3, M * N), c);
        if (type == DType.BF16)
        {
            var rounded = memory.Tensor(DType.BF16, b.Rows, b.Columns, 3 << 17);
            backend.Copy(b, rounded);
            b = rounded;
        }

        backend.MatMul(a, transposeA, b, transposeB, c, accumulate);
        var got = new float[M * N];
        backend.Download(c, got.AsSpan());
        return got;
    }
}
