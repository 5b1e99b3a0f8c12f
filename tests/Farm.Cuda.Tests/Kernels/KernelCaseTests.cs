using Farm.Cli.Kernels;
using Farm.Cpu;
using Farm.Cuda.Driver;
using Farm.Cuda.Launch;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>The cases of <c>farm doctor --device cuda</c>: every kernel against the CPU, with asynchronous copies late and eager.</summary>
public sealed class KernelCaseTests
{
    private static readonly Lazy<(long[] Launched, Dictionary<string, SimulatorCounters> Kernels)> s_counted = new(RunAll);

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
        // Rows of single bytes occur in no model; the conformance suite gathers them.
        string missing = string.Join(' ', KernelTable.All.Where(k => s_counted.Value.Launched[k.Index] == 0 && k.Name != "gather_rows_1").Select(k => k.Name));
        Assert.True(missing.Length == 0, missing);
    }

    // Dense and skinny products of bf16 and int8, training's products, prefill, decode, flash attention and its backward, for both kinds of operands;
    // the products of linear + cross-entropy and of linear + policy loss are among them.
    [Fact]
    public void No_kernel_of_the_tensor_cores_has_a_bank_conflict()
    {
        var matrix = s_counted.Value.Kernels.Where(k => k.Value.Mma > 0).ToList();
        string conflicts = string.Join('\n', matrix.Where(k => k.Value.BankConflicts > 0).Select(k => $"{k.Key}: {k.Value.BankConflicts} ({k.Value.LdmatrixConflicts} of ldmatrix), mma {k.Value.Mma}"));
        Assert.True(conflicts.Length == 0, conflicts);
        foreach (string family in new[] { "linear_bf16", "linear_int8", "dense_bf16", "dense_int8", "matmul_bf16", "attention_bf16", "attention_train", "attention_keys", "attention_queries" })
        {
            Assert.Contains(matrix, k => k.Key.StartsWith(family, StringComparison.Ordinal));
        }
    }

    private static float[] Result(KernelCase kernel, bool eager)
    {
        using var backend = Simulated.Backend(eager);
        using var operands = new CaseOperands(backend);
        var run = kernel.Prepare(operands);
        run.Run();
        return run.Read();
    }

    // Every case once for each kind of operands.
    private static (long[] Launched, Dictionary<string, SimulatorCounters> Kernels) RunAll()
    {
        var launched = new long[KernelTable.All.Count];
        var kernels = new Dictionary<string, SimulatorCounters>(StringComparer.Ordinal);
        foreach (bool rounded in new[] { false, true })
        {
            using var backend = new CudaBackend(simulator: true, bf16Activations: rounded) { Compute = rounded ? CudaCompute.BF16 : CudaCompute.F32 };
            backend.Queue.LaunchesByKernel = launched;
            var counted = Simulated.Count(backend, () =>
            {
                foreach (var kernel in KernelCheck.Cases())
                {
                    using var operands = new CaseOperands(backend);
                    var run = kernel.Prepare(operands);
                    run.Run();
                    run.Read();
                }
            });
            foreach (var (name, part) in counted)
            {
                kernels[name] = kernels.GetValueOrDefault(name, SimulatorCounters.Zero) + part;
            }
        }

        return (launched, kernels);
    }
}
