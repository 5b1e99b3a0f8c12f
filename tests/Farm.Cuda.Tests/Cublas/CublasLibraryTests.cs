using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Cublas;

/// <summary>Finding cuBLASLt, and giving back what is made of it.</summary>
public sealed class CublasLibraryTests
{
    [Fact]
    public void A_handle_is_made_for_each_backend_and_destroyed_with_it()
    {
        using (Standin.Backend())
        {
            // Loads the library.
        }

        var (before, ledger) = (Standin.Counts(), Ledger.Snapshot());
        for (int i = 0; i < 3; i++)
        {
            using var backend = Standin.Backend();
            Assert.Equal(before.Alive + 1, Standin.Counts().Alive);
            using var memory = backend.Allocate(4096);
            Tensor a = memory.Tensor(DType.F32, 8, 8), c = memory.Tensor(DType.F32, 8, 8, 1024);
            backend.MatMul(a, false, a, true, c);
            backend.Synchronize();
            Assert.Equal(before.Alive + 1, Standin.Counts().Alive);
        }

        var after = Standin.Counts();
        Assert.Equal((before.Created + 3, before.Destroyed + 3, before.Alive), (after.Created, after.Destroyed, after.Alive));
        Assert.Equal(ledger, Ledger.Snapshot());
    }

    [Fact]
    public void A_backend_that_was_not_asked_loads_nothing() => Standin.Named(Standin.Path, () =>
    {
        long created = Standin.Counts().Created;
        using var backend = Simulated.Backend();
        Assert.False(backend.UsesCublasLt);
        Assert.Equal(created, Standin.Counts().Created);
        return true;
    });

    [Fact]
    public void The_command_lines_choice_reaches_the_backend() => Standin.Named(Standin.Path, () =>
    {
        using var backend = (CudaBackend)Backends.Create(DeviceChoice.Parse("cuda-sim") with { CublasLt = true }, 1);
        Assert.True(backend.UsesCublasLt);
        return true;
    });

    [Fact]
    public void A_library_that_is_not_there_is_named_and_nothing_is_left_behind()
    {
        using var held = Simulated.Backend();
        var before = Ledger.Snapshot();
        Assert.Equal("FARM_CUBLASLT names /nowhere/libcublasLt.so.12, which is not there.", Refusal("/nowhere/libcublasLt.so.12"));
        Assert.Equal("FARM_CUBLASLT names libfarm-has-no-such.so, which cannot be loaded.", Refusal("libfarm-has-no-such.so"));
        Assert.Equal(before, Ledger.Snapshot());
    }

    [Fact]
    public void A_system_without_the_library_is_told_every_name_that_was_looked_for()
    {
        var e = Assert.Throws<BadInputException>(() => CublasLtApi.Load(null, simulator: false, ["libfarm-has-no-such.so.2", "libfarm-has-no-such.so.1"]));
        Assert.Contains("--blas cublaslt found no cuBLASLt: looked for libfarm-has-no-such.so.2, libfarm-has-no-such.so.1 where", e.Message, StringComparison.Ordinal);
        Assert.Contains("FARM_CUBLASLT", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_simulator_takes_only_a_stand_in()
    {
        using var held = Simulated.Backend();
        Assert.Contains("looked for a stand-in's name in FARM_CUBLASLT, which is not set", Refusal(null), StringComparison.Ordinal);
        Assert.Contains("is no stand-in for the driver simulator", Refusal(CudaDriver.SimulatorPath), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_library_is_told_by_the_entry_that_it_lacks() =>
        Assert.Contains("is not cuBLASLt: it has no cublasLtCreate", Assert.Throws<BadInputException>(() => CublasLtApi.Load(CudaDriver.SimulatorPath, simulator: false, [])).Message, StringComparison.Ordinal);

    private static string Refusal(string? library) =>
        Standin.Named(library, () => Assert.Throws<BadInputException>(() => new CudaBackend(simulator: true, cublasLt: true)).Message);
}
