using Farm.Cli.Kernels;
using Farm.Core;
using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>Rows that the blocks of a dense product prepare for each other.</summary>
public sealed class DenseRowsTests
{
    public static TheoryData<DType, bool> Storages => new() { { DType.F32, false }, { DType.I8, false }, { DType.BF16, false }, { DType.BF16, true } };

    // Three tiles of rows and of columns; whichever block comes first prepares, also where blocks run one after another.
    [Theory]
    [MemberData(nameof(Storages))]
    public void It_changes_no_bit_which_block_prepares_a_row(DType type, bool rounded)
    {
        const int Rows = 300, Inner = 200, Outer = 300;
        using var settings = Simulated.Backend();
        try
        {
            float[]? want = null;
            foreach (var (schedule, threads) in new[] { ("forward", 1), ("forward", 2), ("reverse", 1), ("reverse", 2), ("shuffled", 2), ("shuffled", 3) })
            {
                Simulator.Configure("SCHEDULE", schedule);
                Simulator.Configure("THREADS", threads.ToString(System.Globalization.CultureInfo.InvariantCulture));
                using var backend = new CudaBackend(simulator: true, bf16Activations: rounded);
                using var operands = new CaseOperands(backend);
                Tensor x = operands.Real(Rows, Inner), gain = operands.Real(1, Inner), y = operands.Zero(Rows, Outer);
                var weight = operands.Weight(Outer, Inner, type);
                // Each launch leaves the blocks' counters as the next one needs them.
                for (int launch = 0; launch < 2; launch++)
                {
                    backend.Linear(x, weight, y, normWeight: gain, normEpsilon: 1e-5f);
                    float[] got = operands.Read(y);
                    want ??= got;
                    Assert.Equal(want, got);
                }
            }
        }
        finally
        {
            Simulator.Configure("SCHEDULE", "forward");
            Simulator.Configure("THREADS", "2");
        }
    }

    [Theory]
    [MemberData(nameof(Storages))]
    public void Rows_at_any_address_and_distance_give_the_bits_of_rows_at_16_bytes(DType type, bool rounded)
    {
        const int Rows = 129, Inner = 130, Outer = 40;
        foreach (bool eager in new[] { false, true })
        {
            using var settings = Simulated.Backend(eager);
            using var backend = new CudaBackend(simulator: true, bf16Activations: rounded);
            using var operands = new CaseOperands(backend);
            Tensor wide = operands.Real(Rows, Inner + 7), x = wide.SliceColumns(3, Inner), copy = operands.Zero(Rows, Inner + 2).SliceColumns(0, Inner);
            Tensor loose = operands.Real(1, Inner + 1).SliceColumns(1, Inner), gain = operands.Zero(1, Inner);
            backend.Copy(x, copy);
            backend.Copy(loose, gain);
            var weight = operands.Weight(Outer, Inner, type);
            Tensor bias = operands.Real(1, Outer), y = operands.Zero(Rows, Outer), z = operands.Zero(Rows, Outer);
            foreach (bool norm in new[] { false, true })
            {
                backend.Linear(x, weight, y, bias, normWeight: norm ? loose : default, normEpsilon: 1e-5f);
                backend.Linear(copy, weight, z, bias, normWeight: norm ? gain : default, normEpsilon: 1e-5f);
                Assert.Equal(operands.Read(z), operands.Read(y));
            }
        }
    }
}
