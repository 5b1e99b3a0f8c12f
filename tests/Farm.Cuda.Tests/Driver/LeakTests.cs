using Farm.Conformance;
using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Driver;

/// <summary>Everything made is given back by disposal alone.</summary>
public sealed class LeakTests
{
    [Fact]
    public void Nothing_is_left_after_a_backend_and_what_it_made_are_disposed()
    {
        Use();
        var before = Ledger.Snapshot();
        for (int i = 0; i < 3; i++)
        {
            Use();
        }

        Assert.Equal(before, Ledger.Snapshot());
    }

    [Fact]
    public void Memory_may_outlive_its_backend()
    {
        var before = Ledger.Snapshot();
        DeviceMemory memory;
        using (var backend = Simulated.Backend())
        {
            memory = backend.Allocate(1000);
        }

        memory.Dispose();
        memory.Dispose();
        Assert.Equal(before, Ledger.Snapshot());
    }

    private static void Use()
    {
        using var backend = Simulated.Backend();
        using var memory = backend.Allocate(1 << 20);
        using var weight = backend.PackLinear([new ArraySource("w", 40, 64, DType.F32, TestData.Normal(1, 40 * 64))], DType.I8);
        using var pool = backend.CreateKvPool(new KvShape(2, 2, 16, DType.BF16), 3);
        Tensor x = memory.Tensor(DType.F32, 3, 64), y = memory.Tensor(DType.F32, 3, 40, 4096);
        for (int i = 0; i < 4; i++)
        {
            for (int k = 0; k < 6; k++)
            {
                backend.Linear(x, weight, y);
            }

            backend.Download(y, new float[120].AsSpan());
        }

        backend.Upload<float>(new float[200_000], memory.Tensor(DType.F32, 1, 200_000));
    }
}
