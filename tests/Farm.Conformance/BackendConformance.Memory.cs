using Farm.Core;

namespace Farm.Conformance;

public abstract partial class BackendConformance
{
    // Halves and their neighbours of the bfloat16 grid, signed zeros, the ends of the range, subnormals, infinities and NaN.
    private static readonly float[] Special =
    [
        0f, -0f, 1f, -1f, 1.00390625f, 1.01171875f, 1.00390637f, 1.00390613f, -1.00390625f, 3.4e38f, float.MaxValue, float.MinValue,
        float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon, 1e-40f, 1.17549435e-38f, 3.1415927f, -2.7182817f,
    ];

    [ConformanceFact]
    public void Allocate_gives_zeroed_memory_aligned_to_64_bytes()
    {
        using var backend = CreateBackend();
        foreach (long bytes in new long[] { 64, 100, 4096, 100_000 })
        {
            using var memory = backend.Allocate(bytes);
            Assert.Equal(0, memory.Address % 64);
            Assert.True(memory.Bytes >= bytes, $"{memory.Bytes} bytes where {bytes} were asked for");
            var values = new float[bytes / 4];
            backend.Download(memory.Tensor(DType.F32, 1, values.Length), values.AsSpan());
            Assert.All(values, x => Assert.Equal(0f, x));
        }
    }

    [ConformanceFact]
    public void Upload_and_download_keep_every_bit()
    {
        using var backend = CreateBackend();
        using var memory = backend.Allocate(1 << 16);
        int[] integers = [int.MinValue, -1, 0, 1, int.MaxValue, 0x7F800001];
        var read = new int[integers.Length];
        backend.Upload<int>(integers, memory.Tensor(DType.I32, 2, 3, 64));
        backend.Download(memory.Tensor(DType.I32, 2, 3, 64), read.AsSpan());
        Assert.Equal(integers, read);

        ushort[] halves = [0, 1, 0x8000, 0x7F80, 0xFFFF];
        var readHalves = new ushort[halves.Length];
        backend.Upload<ushort>(halves, memory.Tensor(DType.BF16, 1, 5, 4096));
        backend.Download(memory.Tensor(DType.BF16, 1, 5, 4096), readHalves.AsSpan());
        Assert.Equal(halves, readHalves);
    }

    [ConformanceFact]
    public void Transfers_of_the_wrong_count_type_or_stride_are_refused()
    {
        using var backend = CreateBackend();
        using var memory = backend.Allocate(4096);
        Assert.ThrowsAny<ArgumentException>(() => backend.Upload<float>(new float[5], memory.Tensor(DType.F32, 2, 3)));
        Assert.ThrowsAny<ArgumentException>(() => backend.Upload<float>(new float[6], memory.Tensor(DType.BF16, 2, 3)));
        Assert.ThrowsAny<ArgumentException>(() => backend.Upload<float>(new float[4], memory.Tensor(DType.F32, 2, 3).SliceColumns(0, 2)));
        Assert.ThrowsAny<ArgumentException>(() => backend.Download(memory.Tensor(DType.F32, 2, 3), new float[7].AsSpan()));
        Assert.ThrowsAny<ArgumentException>(() => backend.Download(default, new float[1].AsSpan()));
    }

    [ConformanceTheory]
    [InlineData(DType.F32, DType.BF16)]
    [InlineData(DType.BF16, DType.F32)]
    [InlineData(DType.F32, DType.F32)]
    [InlineData(DType.BF16, DType.BF16)]
    public void Copy_converts_with_rounding_to_nearest_even(DType from, DType to)
    {
        foreach (int width in Widths)
        {
            foreach (int rows in new[] { 0, 1, 3, 17 })
            {
                float[] values = TestData.Normal(width, rows * width, 3f);
                for (int i = 0; i < values.Length && width >= 16; i++)
                {
                    values[i] = i % 2 == 0 ? Special[i / 2 % Special.Length] : values[i];
                }

                using var rig = NewRig();
                var source = rig.Real(rows, width, values, pad: width % 2, type: from);
                var destination = rig.Output(rows, width, pad: width % 3, type: to);
                rig.Run(side => side.Backend.Copy(side[source], side[destination]));
                rig.CompareExactly($"Copy {from.Name()} to {to.Name()}", destination);
            }
        }
    }

    [ConformanceTheory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.I32)]
    public void GatherRows_picks_rows_in_any_order(DType type)
    {
        foreach (int width in Widths)
        {
            foreach (int count in new[] { 0, 1, 5, 33 })
            {
                using var rig = NewRig();
                var rows = rig.Ints(TestData.Integers(count, count, 19));
                if (type == DType.I32)
                {
                    var ids = rig.Ints(19, width, TestData.Integers(width, 19 * width, int.MaxValue));
                    var picked = rig.Ints(count, width, [.. Enumerable.Repeat(-1, count * width)]);
                    rig.Run(side => side.Backend.GatherRows(side[ids], side[rows], side[picked]));
                    Assert.Equal(rig.WantInts(picked), rig.GotInts(picked));
                    continue;
                }

                var input = rig.Real(19, width, TestData.Normal(width, 19 * width), pad: width % 2, type: type);
                var output = rig.Output(count, width, pad: count % 3, type: type);
                rig.Run(side => side.Backend.GatherRows(side[input], side[rows], side[output]));
                rig.CompareExactly($"GatherRows {type.Name()}", output);
            }
        }
    }

    [ConformanceFact]
    public void Copy_and_gather_refuse_wrong_shapes()
    {
        using var rig = NewRig();
        var b = rig.Actual;
        Tensor three = rig.Output(3, 4).Actual, wide = rig.Output(3, 5).Actual, two = rig.Output(2, 4).Actual;
        Tensor half = rig.Output(2, 4, type: DType.BF16).Actual, ids = rig.Ints([0, 1]).Actual;
        Assert.ThrowsAny<ArgumentException>(() => b.Copy(three, wide));
        Assert.ThrowsAny<ArgumentException>(() => b.Copy(three, two));
        Assert.ThrowsAny<ArgumentException>(() => b.Copy(three, default));
        Assert.ThrowsAny<ArgumentException>(() => b.Copy(ids, rig.Output(1, 2).Actual));
        Assert.ThrowsAny<ArgumentException>(() => b.GatherRows(three, ids, three));
        Assert.ThrowsAny<ArgumentException>(() => b.GatherRows(three, ids, half));
        Assert.ThrowsAny<ArgumentException>(() => b.GatherRows(wide, ids, two));
        Assert.ThrowsAny<ArgumentException>(() => b.GatherRows(three, two, two));
    }
}
