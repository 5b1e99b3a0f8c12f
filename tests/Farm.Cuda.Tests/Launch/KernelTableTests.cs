using Farm.Cuda.Driver;
using Farm.Cuda.Launch;
using Farm.Cuda.Ptx;

namespace Farm.Cuda.Tests.Launch;

/// <summary>The kernel table against the PTX, and its occupancy arithmetic.</summary>
public sealed class KernelTableTests
{
    // An A100: 2048 threads, 65536 registers, 164 KiB shared, 32 blocks.
    private static readonly DeviceLimits A100 = new(108, 2048, 65536, 164 << 10, 163 << 10, 32, 0, 0, 0);

    [Fact]
    public void Every_entry_has_a_row_and_every_row_an_entry()
    {
        var entries = CudaModule.Names().SelectMany(m => PtxEntry.Parse(CudaModule.Text(m)).Keys.Select(k => $"{m}/{k}")).Order(StringComparer.Ordinal);
        Assert.Equal(entries, KernelTable.All.Select(k => $"{k.Module}/{k.Name}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Rows_have_the_threads_that_the_kernels_were_compiled_for() => Assert.All(KernelTable.All, k =>
    {
        var entry = PtxEntry.Parse(CudaModule.Text(k.Module))[k.Name];
        Assert.Equal(entry.MaxThreads, k.Threads);
    });

    [Fact]
    public void Every_row_fits_a_multiprocessor_of_the_smallest_chip() => Assert.All(KernelTable.All, k =>
    {
        // 8.6 and 8.9 have 100 KiB of shared memory, 99 of them for a block; only the largest tiles may ask for more.
        var occupancy = k.OccupancyOn(A100, k.MaxDynamicShared);
        Assert.True(occupancy.Blocks >= 1, $"{k.Name}: no block fits, limited by {occupancy.Limit}");
        Assert.InRange(occupancy.Fraction, 0.01, 1);
    });

    [Theory]
    [InlineData(256, 32, 0, 8, "threads")]
    [InlineData(128, 128, 0, 4, "registers")]
    [InlineData(128, 32, 40960, 4, "shared memory")]
    [InlineData(32, 16, 0, 32, "blocks")]
    public void Occupancy_is_what_the_scarcest_resource_allows(int threads, int registers, int shared, int blocks, string limit)
    {
        var occupancy = Occupancy.Of(A100, threads, registers, shared);
        Assert.Equal((blocks, limit), (occupancy.Blocks, occupancy.Limit));
        Assert.Equal(blocks * threads / 2048.0, occupancy.Fraction, 6);
    }

    [Fact]
    public void Parameters_are_read_with_their_sizes()
    {
        const string Ptx = """
            .visible .entry one(
            	.param .u64 one_param_0,
            	.param .u64 .ptr .global .align 16 one_param_1,
            	.param .u32 one_param_2,
            	.param .f32 one_param_3,
            	.param .align 8 .b8 one_param_4[24]
            )
            .maxntid 128, 1, 1
            {
            	ret;
            }
            .visible .entry two()
            {
            	ret;
            }
            """;
        var entries = PtxEntry.Parse(Ptx);
        Assert.Equal([8, 8, 4, 4, 24], entries["one"].ParameterBytes);
        Assert.Equal(128, entries["one"].MaxThreads);
        Assert.Empty(entries["two"].ParameterBytes);
        Assert.Equal(0, entries["two"].MaxThreads);
    }
}
