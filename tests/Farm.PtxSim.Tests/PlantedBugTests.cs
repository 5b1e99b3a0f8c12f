namespace Farm.PtxSim.Tests;

/// <summary>Kernels with one mistake each: found by name, while the right kernel stays silent. See native/ptxsim/tests/planted.cu.</summary>
[Collection("simulator")]
public sealed class PlantedBugTests
{
    private readonly nint _module;
    private readonly ushort[] _a, _b;

    public PlantedBugTests()
    {
        _ = new Session();
        _module = Session.Load(Repository.Compile("planted.cu"));
        var random = new Random(7);
        (_a, _b) = (BFloat16.Random(random, 1024), BFloat16.Random(random, 1024));
    }

    public static TheoryData<string, string> Modes()
    {
        var data = new TheoryData<string, string>();
        foreach (string copies in new[] { "late", "eager" })
        {
            foreach (string schedule in new[] { "forward", "reverse", "shuffled" })
            {
                data.Add(copies, schedule);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Right_product_is_silent_and_right_in_every_mode(string copies, string schedule)
    {
        Session.Configure("ASYNC", copies);
        Session.Configure("SCHEDULE", schedule);
        Assert.Equal(Session.Success, Product("product_right", out double error));
        Assert.InRange(error, 0, 1e-5);
        Assert.Equal(string.Empty, Session.Report);
    }

    [Theory]
    [InlineData("product_no_trailing_barrier", "write-after-read-race", Session.LaunchFailed)]
    [InlineData("product_no_leading_barrier", "read-after-write-race", Session.LaunchFailed)]
    [InlineData("product_late_wait", "async-copy-in-flight", Session.LaunchFailed)]
    [InlineData("product_missing_row", "uninitialised-shared-read", Session.LaunchFailed)]
    [InlineData("product_row_beyond_end", "out-of-bounds", Session.IllegalAddress)]
    [InlineData("product_shared_beyond_end", "out-of-bounds", Session.IllegalAddress)]
    [InlineData("product_misaligned_copy", "misaligned-access", 716)]
    [InlineData("product_swapped_fragments", "fragment", Session.LaunchFailed)]
    [InlineData("product_swapped_right", "fragment", Session.LaunchFailed)]
    [InlineData("product_repeated_rows", "fragment", Session.LaunchFailed)]
    [InlineData("product_exchanged_rows", "fragment", Session.LaunchFailed)]
    public void Mistake_in_the_product_is_named_in_both_copy_modes(string kernel, string name, int code)
    {
        foreach (string copies in new[] { "late", "eager" })
        {
            _ = new Session(("ASYNC", copies));
            nint module = Session.Load(Repository.Compile("planted.cu"));
            Assert.Equal(code, Product(module, kernel, out _));
            Assert.StartsWith($"{name} in kernel {kernel} at ", Session.Report, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("product_swapped_fragments")]
    [InlineData("product_swapped_right")]
    [InlineData("product_repeated_rows")]
    [InlineData("product_exchanged_rows")]
    public void Wrong_fragments_give_wrong_numbers_without_the_checker(string kernel)
    {
        Session.Configure("CHECK", "0");
        Assert.Equal(Session.Success, Product(kernel, out double error));
        Assert.InRange(error, 0.1, double.MaxValue);
    }

    [Fact]
    public void Report_of_a_wrong_fragment_names_both_elements_and_their_distance()
    {
        Assert.Equal(Session.LaunchFailed, Product("product_swapped_fragments", out _));
        Assert.Matches(
            @"^fragment in kernel product_swapped_fragments at planted\.cu:\d+:\d+, CTA \(0,0,0\), thread \(0,0,0\) \[warp 0, lane 0\]: the registers of A",
            Session.Report);
        Assert.Contains("a1 of lane 0 (row 8, k 0) comes from ", Session.Report, StringComparison.Ordinal);
        Assert.Contains("which is 16 bytes after a0 of lane 0 (row 0, k 0)", Session.Report, StringComparison.Ordinal);
        Assert.Contains("128 bytes a row and 2 a k, it would be 1024", Session.Report, StringComparison.Ordinal);
        Assert.Contains("instruction: mma.sync", Session.Report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("turned_right", 64, "")]
    [InlineData("turned_right", 53, "")]
    [InlineData("turned_left_forgotten", 64, "A")]
    [InlineData("turned_left_forgotten", 53, "A")]
    [InlineData("turned_right_forgotten", 64, "B")]
    public void Forgotten_trans_is_a_wrong_fragment_and_zero_filled_lines_are_not(string kernel, int k, string operand)
    {
        foreach (string copies in new[] { "late", "eager" })
        {
            _ = new Session(("ASYNC", copies));
            nint module = Session.Load(Repository.Compile("planted.cu"));
            ulong c = Session.Allocate(1024);
            int result = Session.Run(Session.Function(module, kernel), 1, 32, Session.Upload(_a), Session.Upload(_b), c, (uint)k);
            if (operand.Length > 0)
            {
                Assert.Equal(Session.LaunchFailed, result);
                Assert.StartsWith($"fragment in kernel {kernel} at ", Session.Report, StringComparison.Ordinal);
                Assert.Contains($"the registers of {operand} do not lie", Session.Report, StringComparison.Ordinal);
                continue;
            }

            Session.Check(result);
            float[] values = Session.Download<float>(c, 256);
            for (int at = 0; at < 256; at++)
            {
                double sum = Enumerable.Range(0, k).Sum(i => (double)BFloat16.Widen(_a[(16 * i) + (at / 16)]) * BFloat16.Widen(_b[(16 * i) + (at % 16)]));
                Assert.Equal(sum, values[at], 1e-5);
            }
        }
    }

    [Theory]
    [InlineData("straight_right", true)]
    [InlineData("straight_swapped", false)]
    [InlineData("straight_packed_right", true)]
    [InlineData("straight_packed_swapped", false)]
    public void Fragments_straight_from_global_memory_are_checked_too(string kernel, bool right)
    {
        int result = Session.Run(Kernel(kernel), 1, 32, Session.Upload(_a), Session.Upload(_b), Session.Allocate(128));
        Assert.Equal(right ? Session.Success : Session.LaunchFailed, result);
        Assert.StartsWith(right ? string.Empty : "fragment in kernel", Session.Report, StringComparison.Ordinal);
        Assert.Equal(right, Session.Report.Length == 0);
    }

    [Fact]
    public void Missing_barrier_is_invisible_without_the_checker()
    {
        Session.Configure("CHECK", "0");
        Assert.Equal(Session.Success, Product("product_no_trailing_barrier", out double error));
        Assert.InRange(error, 0, 1e-5);
    }

    [Theory]
    [InlineData("tree_right", "", Session.Success)]
    [InlineData("tree_no_barrier", "read-after-write-race", Session.LaunchFailed)]
    [InlineData("tree_off_by_one", "out-of-bounds", Session.IllegalAddress)]
    public void Tree_reduction(string kernel, string name, int code)
    {
        ulong output = Session.Allocate(4);
        int result = Session.Run(Kernel(kernel), 1, 128, Session.Upload(Enumerable.Repeat(1f, 128).ToArray()), output);
        Assert.Equal(code, result);
        Assert.StartsWith(name, Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Report_names_kernel_line_block_thread_and_place()
    {
        ulong output = Session.Allocate(400);
        Assert.Equal(Session.IllegalAddress, Session.Run(Kernel("store_beyond_end"), 1, 128, output, 100u));
        Assert.Matches(
            @"^out-of-bounds in kernel store_beyond_end at planted\.cu:\d+:\d+, CTA \(0,0,0\), thread \(100,0,0\) \[warp 3, lane 4\]: writes 4 bytes",
            Session.Report);
        Assert.Contains("0 bytes past the end of the buffer at", Session.Report, StringComparison.Ordinal);
        Assert.Contains("(400 bytes)", Session.Report, StringComparison.Ordinal);
        Assert.Contains("launch: grid (1,1,1), block (128,1,1)", Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Fault_sticks_to_the_context()
    {
        ulong output = Session.Allocate(400);
        Assert.Equal(Session.IllegalAddress, Session.Run(Kernel("store_beyond_end"), 1, 128, output, 100u));
        Assert.Equal(Session.IllegalAddress, Session.TryAllocate(16, out _));
        Assert.Equal(Session.IllegalAddress, Session.TryDownload(output, new float[1]));
        Assert.Equal(Session.IllegalAddress, Session.Synchronize());
    }

    [Fact]
    public void Misaligned_vector_load_is_named()
    {
        Assert.Equal(716, Session.Run(Kernel("misaligned_vector"), 1, 8, Session.Upload(new uint[128]), Session.Allocate(512)));
        Assert.StartsWith("misaligned-access in kernel misaligned_vector", Session.Report, StringComparison.Ordinal);
        Assert.Contains("reads 16 bytes", Session.Report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("divergent_barrier", "only lanes 0-15 of its warp reach the barrier; lanes 16-31 do not")]
    [InlineData("different_barriers", "warp 1: waits at barrier 1")]
    public void Divergent_barrier_is_named(string kernel, string text)
    {
        Assert.Equal(702, Session.Run(Kernel(kernel), 1, 64, Session.Allocate(256)));
        Assert.StartsWith("divergent-barrier", Session.Report, StringComparison.Ordinal);
        Assert.Contains(text, Session.Report, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("neighbours_right", 32u, "", Session.Success)]
    [InlineData("neighbours_no_wait", 32u, "read-after-write-race", Session.LaunchFailed)]
    [InlineData("named_barriers", 128u, "", Session.Success)]
    [InlineData("named_barriers_wrong_pair", 128u, "read-after-write-race", Session.LaunchFailed)]
    [InlineData("pairs_read", 128u, "", Session.Success)]
    [InlineData("pairs_read_and_another", 128u, "write-after-read-race", Session.LaunchFailed)]
    [InlineData("shuffle_in_branch", 32u, "divergent-warp", 715)]
    public void Warp_and_named_barriers_order_those_who_meet(string kernel, uint block, string name, int code)
    {
        Assert.Equal(code, Session.Run(Kernel(kernel), 1, block, Session.Allocate(512)));
        Assert.StartsWith(name, Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Endless_kernel_is_stopped()
    {
        Session.Configure("WATCHDOG", "10000");
        Assert.Equal(702, Session.Run(Kernel("endless"), 1, 32, Session.Upload(new uint[1])));
        Assert.StartsWith("timeout in kernel endless", Session.Report, StringComparison.Ordinal);
    }

    [Fact]
    public void Trap_is_named()
    {
        Assert.Equal(Session.LaunchFailed, Session.Run(Kernel("trapped"), 1, 32, Session.Upload(Enumerable.Repeat(7u, 32).ToArray())));
        Assert.StartsWith("trap in kernel trapped", Session.Report, StringComparison.Ordinal);
    }

    private nint Kernel(string name) => Session.Function(_module, name);

    private int Product(string kernel, out double error) => Product(_module, kernel, out error);

    private int Product(nint module, string kernel, out double error)
    {
        error = 0;
        ulong c = Session.Allocate(1024);
        int result = Session.Run(Session.Function(module, kernel), 1, 64, Session.Upload(_a), Session.Upload(_b), c);
        if (result != Session.Success)
        {
            return result;
        }

        float[] values = Session.Download<float>(c, 256);
        for (int i = 0; i < 16; i++)
        {
            for (int j = 0; j < 16; j++)
            {
                double sum = Enumerable.Range(0, 64).Sum(k => (double)BFloat16.Widen(_a[(64 * i) + k]) * BFloat16.Widen(_b[(64 * j) + k]));
                error = Math.Max(error, Math.Abs(sum - values[(16 * i) + j]));
            }
        }

        return result;
    }
}
