using System.Globalization;

namespace Farm.PtxSim.Tests;

/// <summary>Traffic, conflicts and operations are exact numbers.</summary>
[Collection("simulator")]
public sealed class CounterTests
{
    public CounterTests() => _ = new Session();

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    public void Saxpy_reads_both_vectors_once_and_writes_one(string threads)
    {
        Session.Configure("THREADS", threads);
        nint saxpy = Session.Function(Session.Load(Repository.Compile("basics.cu")), "saxpy");
        Session.Check(Session.Run(saxpy, 8, 128, Session.Upload(new float[1024]), Session.Upload(new float[1024]), 2f, 1024u));
        Assert.Equal(1, Count("launches"));
        Assert.Equal(1024, Count("threads"));
        Assert.Equal(8192, Count("global_load_bytes"));
        Assert.Equal(8192 / 32, Count("global_load_sectors"));
        Assert.Equal(8192, Count("global_load_unique_bytes"));
        Assert.Equal(4096, Count("global_store_bytes"));
        Assert.Equal(4096, Count("global_store_unique_bytes"));
        Assert.Equal(64, Count("global_load_requests"));
        Assert.Equal(2048, Count("flops"));
        Assert.Equal(0, Count("mma"));

        static long Count(string name) => Session.Counter("saxpy", name);
    }

    [Fact]
    public void What_several_blocks_read_is_counted_each_time_but_unique_once()
    {
        nint sum = Session.Function(Session.Load(Repository.Compile("basics.cu")), "mma_tile");
        ulong a = Session.Upload(new ushort[256]), b = Session.Upload(new ushort[128]), c = Session.Allocate(512);
        Session.Check(Session.Run(sum, 10, 32, a, b, c));
        Assert.Equal(7680, Session.Counter("mma_tile", "global_load_bytes"));
        Assert.Equal(768, Session.Counter("mma_tile", "global_load_unique_bytes"));
        Assert.Equal(10, Session.Counter("mma_tile", "mma"));
        Assert.Equal(10 * 4096, Session.Counter("mma_tile", "mma_flops"));
        Assert.Equal(20, Session.Counter("mma_tile", "ldmatrix"));
        Assert.Equal(0, Session.Counter("mma_tile", "ldmatrix_conflicts"));
    }

    // Whoever waits for another block reads as often as the wait is long, which is no property of the kernel.
    [Theory]
    [InlineData("1", "forward")]
    [InlineData("2", "forward")]
    [InlineData("3", "reverse")]
    public void Blocks_hand_over_through_memory_and_a_wait_is_no_traffic(string threads, string schedule)
    {
        const int Blocks = 40;
        Session.Configure("THREADS", threads);
        Session.Configure("SCHEDULE", schedule);
        nint handover = Session.Function(Session.Load(Repository.Compile("basics.cu")), "handover");
        ulong words = Session.Upload(new uint[68]), result = Session.Allocate(Blocks * 256);
        Session.Check(Session.Run(handover, Blocks, 64, words, result, 0u));
        Assert.All(Session.Download<uint>(result, Blocks * 64).Chunk(64), block => Assert.Equal(Enumerable.Range(0, 64).Select(i => (3 * (uint)i) + 1), block));
        Assert.Equal(Blocks * 256, Session.Counter("handover", "global_load_bytes"));
        Assert.Equal((Blocks * 256) + 256 + (4 * (Blocks + 1)), Session.Counter("handover", "global_store_bytes"));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("3")]
    public void A_block_that_waits_for_one_that_failed_ends_with_its_fault(string threads)
    {
        Session.Configure("THREADS", threads);
        nint handover = Session.Function(Session.Load(Repository.Compile("basics.cu")), "handover");
        Assert.Equal(Session.LaunchFailed, Session.Run(handover, 40, 64, Session.Upload(new uint[68]), Session.Allocate(40 * 256), 1u));
        Assert.StartsWith("trap in kernel handover", Session.Report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(4, 3)]
    [InlineData(31, 0)]
    [InlineData(32, 31)]
    [InlineData(0, 0)]
    public void Stride_decides_the_bank_conflicts(int stride, int conflicts)
    {
        nint strided = Session.Function(Session.Load(Repository.Compile("planted.cu")), "strided");
        Session.Check(Session.Launch(strided, (1, 1, 1), (32, 1, 1), 4096, 0, Session.Allocate(128), (uint)stride));
        Session.Check(Session.Synchronize());
        Assert.Equal(conflicts, Session.Counter("strided", "shared_load_conflicts"));
        Assert.Equal(0, Session.Counter("strided", "shared_store_conflicts"));
    }

    [Fact]
    public void Counters_add_up_over_launches_and_start_again()
    {
        nint reverse = Session.Function(Session.Load(Repository.Compile("planted.cu")), "tree_right");
        ulong input = Session.Upload(new float[128]), output = Session.Allocate(4);
        Session.Check(Session.Run(reverse, 1, 128, input, output));
        Session.Check(Session.Run(reverse, 1, 128, input, output));
        Assert.Equal(2, Session.Counter("tree_right", "launches"));
        Assert.Equal(1024, Session.Counter("tree_right", "global_load_bytes"));
        Assert.Equal(2 * 4 * 8, Session.Counter("tree_right", "barriers"));
        Session.ResetCounters();
        Session.Check(Session.Run(reverse, 1, 128, input, output));
        Assert.Equal(1, Session.Counter("tree_right", "launches"));
    }

    [Fact]
    public void Results_and_counters_do_not_depend_on_the_schedule()
    {
        string? first = null;
        foreach (string schedule in new[] { "forward", "reverse", "shuffled" })
        {
            foreach (int threads in new[] { 1, 3 })
            {
                _ = new Session(("SCHEDULE", schedule), ("THREADS", threads.ToString(CultureInfo.InvariantCulture)));
                nint sum = Session.Function(Session.Load(Repository.Compile("basics.cu")), "block_sum");
                float[] x = [.. Enumerable.Range(0, 20 * 300).Select(i => 1f / (1 + i))];
                ulong output = Session.Allocate(80);
                Session.Check(Session.Run(sum, 20, 128, Session.Upload(x), output, 300u));
                string all = string.Join(' ', Session.Download<uint>(output, 20)) + Session.Counters("block_sum");
                Assert.Equal(first ??= all, all);
            }
        }
    }
}
