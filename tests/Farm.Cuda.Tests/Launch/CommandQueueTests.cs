using Farm.Core;
using Farm.Cuda.Driver;
using Farm.Cuda.Launch;

namespace Farm.Cuda.Tests.Launch;

/// <summary>Launches, their checks, and graphs.</summary>
public sealed class CommandQueueTests
{
    [Fact]
    public void A_launch_with_wrong_arguments_is_refused_before_the_driver_sees_it()
    {
        using var backend = Simulated.Backend();
        var kernel = backend.Device.Kernel(InferenceKernels.RmsNorm);
        var short_ = Assert.Throws<InvalidOperationException>(() => backend.Queue.Launch(kernel, new Grid(1), [(nint)0, 1]));
        Assert.Contains("rms_norm takes arguments of (", short_.Message, StringComparison.Ordinal);
        Assert.Contains("given were (8, 4)", short_.Message, StringComparison.Ordinal);
        KernelArgument[] right = [.. kernel.Entry.ParameterBytes.Select(b => b == 8 ? (KernelArgument)(nint)0 : 0)];
        Assert.Throws<InvalidOperationException>(() => backend.Queue.Launch(kernel, new Grid(1, 70000), right));
        Assert.Throws<InvalidOperationException>(() => backend.Queue.Launch(kernel, new Grid(1, DynamicShared: kernel.Row.MaxDynamicShared + 1), right));
        backend.Synchronize();
    }

    [Fact]
    public void A_grid_without_blocks_launches_nothing()
    {
        using var backend = Simulated.Backend();
        long before = backend.Launches;
        var kernel = backend.Device.Kernel(InferenceKernels.RmsNorm);
        KernelArgument[] arguments = [.. kernel.Entry.ParameterBytes.Select(b => b == 8 ? (KernelArgument)(nint)0 : 0)];
        backend.Queue.Launch(kernel, new Grid(0), arguments);
        backend.Synchronize();
        Assert.Equal(before, backend.Launches);
    }

    [Fact]
    public void Work_that_repeats_is_captured_and_replayed_with_the_same_result()
    {
        using var backend = Simulated.Backend();
        Assert.True(CudaDriver.HasGraphs);
        using var memory = backend.Allocate(1 << 16);
        var values = Enumerable.Range(0, 64).Select(i => i * 0.25f).ToArray();
        Tensor x = memory.Tensor(DType.F32, 4, 16), w = memory.Tensor(DType.F32, 1, 16, 4096), y = memory.Tensor(DType.F32, 4, 16, 8192);
        backend.Upload<float>(values.AsSpan(0, 16), w);
        var first = Step(backend, values, x, w, y);
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(first, Step(backend, values, x, w, y));
        }

        Assert.Equal(1, backend.Queue.Captures);
        Assert.True(backend.Queue.Replays >= 3);
        // Other values pass through the same graph: uploads are part of it.
        float[] halved = Array.ConvertAll(values, v => v * 0.5f);
        float[] scaled = Step(backend, halved, x, w, y);
        Assert.Equal(1, backend.Queue.Captures);
        Assert.NotEqual(first, scaled);
    }

    [Fact]
    public void A_long_list_is_handed_over_in_parts()
    {
        using var backend = Simulated.Backend();
        using var memory = backend.Allocate(4096);
        var x = memory.Tensor(DType.F32, 1, 16);
        for (int i = 0; i < 3000; i++)
        {
            backend.Scale(x, 1f, x);
        }

        var read = new float[16];
        backend.Download(x, read.AsSpan());
        Assert.All(read, v => Assert.Equal(0f, v));
    }

    [Fact]
    public void Large_transfers_arrive_whole()
    {
        using var backend = Simulated.Backend();
        int[] values = [.. Enumerable.Range(0, 5_000_001)];
        using var memory = backend.Allocate(values.Length * 4L);
        var tensor = memory.Tensor(DType.I32, 1, values.Length);
        backend.Upload<int>(values, tensor);
        var read = new int[values.Length];
        backend.Download(tensor, read.AsSpan());
        Assert.True(values.AsSpan().SequenceEqual(read));
    }

    private static float[] Step(CudaBackend backend, float[] values, Tensor x, Tensor w, Tensor y)
    {
        backend.Upload<float>(values, x);
        for (int i = 0; i < 6; i++)
        {
            backend.RmsNorm(x, w, 1f, y);
            backend.RmsNorm(y, w, 1f, x);
        }

        var result = new float[64];
        backend.Download(x, result.AsSpan());
        return result;
    }
}
