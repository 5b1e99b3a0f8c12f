using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Driver;

/// <summary>What a fault of the device becomes; the simulator injects it.</summary>
public sealed class FaultTests
{
    [Fact]
    public void A_fault_of_a_kernel_names_the_launch_its_grid_and_its_arguments()
    {
        var e = Provoke("FAIL_LAUNCH");
        Assert.Contains("rms_norm of rows.cu on a grid of (2, 1, 1)", e.Message, StringComparison.Ordinal);
        Assert.Contains("threads a block, arguments of (8", e.Message, StringComparison.Ordinal);
        Assert.Contains("FARM_CUDA_SYNC=1", e.Message, StringComparison.Ordinal);
        Assert.True(e.IsSticky);
    }

    [Fact]
    public void A_lost_device_is_said_to_be_lost()
    {
        var e = Provoke("LOSE_DEVICE");
        Assert.Contains("The device is lost", e.Message, StringComparison.Ordinal);
        Assert.True(e.IsSticky);
    }

    [Fact]
    public void Memory_that_is_not_there_is_refused_with_what_to_change()
    {
        using var backend = Simulated.Backend();
        var e = Assert.Throws<BadInputException>(() => backend.Allocate(1L << 40));
        Assert.Contains("GPU 0 has no 1048576 MiB left for a buffer", e.Message, StringComparison.Ordinal);
        Assert.Contains("--batch-sequences", e.Message, StringComparison.Ordinal);
        using var memory = backend.Allocate(64);
    }

    [Fact]
    public void A_module_that_does_not_compile_brings_the_compilers_words()
    {
        using var backend = Simulated.Backend();
        backend.Device.Enter();
        var e = Assert.Throws<CudaException>(() => CudaModule.Load("broken", ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{\n\tfrobnicate.u32 %r1;\n}\n"));
        Assert.Contains("refused kernels/broken.cu", e.Message, StringComparison.Ordinal);
        Assert.Contains("frobnicate", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void There_is_no_second_GPU() =>
        Assert.Contains("There is no GPU 7; the driver shows 1", Assert.Throws<BadInputException>(() => new CudaBackend(7, simulator: true)).Message, StringComparison.Ordinal);

    [Fact]
    public void One_process_has_one_driver() =>
        Assert.Contains("already uses the CUDA driver", Assert.Throws<BadInputException>(() => UseAnother()).Message, StringComparison.Ordinal);

    private static void UseAnother()
    {
        using (Simulated.Backend())
        {
            CudaDriver.Use(simulator: false);
        }
    }

    private static CudaException Provoke(string fault)
    {
        using var backend = Simulated.Backend();
        using var memory = backend.Allocate(4096);
        Tensor x = memory.Tensor(DType.F32, 2, 16), w = memory.Tensor(DType.F32, 1, 16, 1024), y = memory.Tensor(DType.F32, 2, 16, 2048);
        backend.Synchronize();
        try
        {
            Simulator.Configure(fault, "1");
            return Assert.Throws<CudaException>(() =>
            {
                backend.RmsNorm(x, w, 1e-5f, y);
                backend.Synchronize();
            });
        }
        finally
        {
            Simulator.Configure(fault, "0");
            Simulator.ClearError();
        }
    }
}
