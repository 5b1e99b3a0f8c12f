using Farm.Cuda.Launch;

namespace Farm.Cuda.Tests.Launch;

/// <summary>The memory that the kernels of one operation hand each other.</summary>
public sealed class ScratchArenaTests
{
    [Fact]
    public void Rounds_of_an_operation_take_the_same_memory_again()
    {
        using var backend = Simulated.Backend();
        using var arena = new ScratchArena(backend.Device, backend.Queue);
        arena.Reset();
        nint kept = arena.Take(1000);
        long held = 0;
        var first = Array.Empty<nint>();
        for (int round = 0; round < 5; round++)
        {
            var mark = arena.Mark();
            nint[] taken = [arena.Take(50_000), arena.Take(300_000), arena.Take(200)];
            Assert.Equal(3, taken.Distinct().Count());
            Assert.DoesNotContain(kept, taken);
            Assert.All(taken, address => Assert.Equal(0, address % 256));
            arena.Release(mark);
            first = round == 0 ? taken : first;
            held = round == 0 ? arena.Bytes : held;
            Assert.Equal(first, taken);
            Assert.Equal(held, arena.Bytes);
        }
    }

    [Fact]
    public void One_block_holds_what_an_operation_took_before()
    {
        using var backend = Simulated.Backend();
        using var arena = new ScratchArena(backend.Device, backend.Queue);
        arena.Reset();
        int[] sizes = [70_000, 100, 500_000, 65_536, 3];
        foreach (int size in sizes)
        {
            _ = arena.Take(size);
        }

        arena.Reset();
        long held = arena.Bytes;
        nint last = arena.Take(sizes[0]);
        foreach (int size in sizes.Skip(1))
        {
            nint next = arena.Take(size);
            Assert.True(next > last);
            last = next;
        }

        arena.Reset();
        Assert.Equal(held, arena.Bytes);
    }
}
