using Farm.Cli.Kernels;
using Farm.Cpu;
using Farm.Cuda.Launch;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>The cases of <c>farm doctor --device cuda</c>: every kernel against the CPU, with asynchronous copies late and eager.</summary>
public sealed class KernelCaseTests
{
    public static IEnumerable<object[]> Cases() => KernelCheck.Cases().Select((c, i) => new object[] { i, $"{c.Op}, {c.Shape}" });

    [Theory]
    [MemberData(nameof(Cases))]
    public void Agrees_with_the_cpu_in_both_copy_modes_to_the_same_bits(int index, string name)
    {
        var kernel = KernelCheck.Cases().ElementAt(index);
        using var cpu = new CpuBackend(2);
        using (var late = Simulated.Backend())
        {
            var check = KernelCheck.Run(kernel, late, cpu);
            Assert.True(check.Passed, $"{name}: error {check.Error:G3} above {kernel.Tolerance:G3} {check.Failure}");
        }

        Assert.Equal(Result(kernel, eager: false), Result(kernel, eager: true));
    }

    [Fact]
    public void The_cases_launch_every_kernel_of_the_table()
    {
        var launched = new long[KernelTable.All.Count];
        foreach (bool rounded in new[] { false, true })
        {
            using var backend = new CudaBackend(simulator: true, bf16Activations: rounded) { Compute = rounded ? CudaCompute.BF16 : CudaCompute.F32 };
            backend.Queue.LaunchesByKernel = launched;
            foreach (var kernel in KernelCheck.Cases())
            {
                using var operands = new CaseOperands(backend);
                var run = kernel.Prepare(operands);
                run.Run();
                run.Read();
            }
        }

        // Rows of single bytes occur in no model; the conformance suite gathers them.
        string missing = string.Join(' ', KernelTable.All.Where(k => launched[k.Index] == 0 && k.Name != "gather_rows_1").Select(k => k.Name));
        Assert.True(missing.Length == 0, missing);
    }

    private static float[] Result(KernelCase kernel, bool eager)
    {
        using var backend = Simulated.Backend(eager);
        using var operands = new CaseOperands(backend);
        var run = kernel.Prepare(operands);
        run.Run();
        return run.Read();
    }
}
