using Farm.Cuda.Driver;

namespace Farm.Cuda.Tests.Build;

/// <summary>The build's check of compiled kernels.</summary>
public sealed class PtxRulesTests
{
    private static readonly IReadOnlyList<string> Opcodes = PtxRules.Opcodes(File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "opcodes.txt")));

    [Fact]
    public void Every_kernel_keeps_the_rules()
    {
        Assert.NotEmpty(CudaModule.Names());
        Assert.All(CudaModule.Names(), name => Assert.Empty(PtxRules.Breaches(CudaModule.Text(name), Opcodes)));
    }

    [Theory]
    [InlineData("{ call.uni (%r1), expf, (%f1); }", "a call")]
    [InlineData("\tcall.uni (%r1), expf, (%f1);", "a call")]
    [InlineData(".extern .func (.param .b32 r) erff (.param .b32 x)", "not inlined")]
    [InlineData("\t.local .align 4 .b8 __local_depot0[32];", "local memory")]
    [InlineData("\tst.local.f32 [%rd3], %f6;", "local memory")]
    [InlineData("\tld.f32 %f1, [%rd1];", "lost its state space")]
    [InlineData("\t@%p1 st.v4.f32 [%rd1], {%f1, %f2, %f3, %f4};", "lost its state space")]
    [InlineData("\tcvt.ftz.f32.bf16 %f1, %rs1;", "needs sm_90")]
    [InlineData("\twgmma.fence.sync.aligned;", "not listed")]
    [InlineData("$L__BB0_1:\tatom.global.cas.b32 %r1, [%rd1], %r2, %r3;", "not listed")]
    public void A_breach_is_named(string line, string expected) =>
        Assert.Contains(PtxRules.Breaches(".version 7.0\n" + line + "\n", Opcodes), b => b.StartsWith("line 2:", StringComparison.Ordinal) && b.Contains(expected, StringComparison.Ordinal));

    [Theory]
    [InlineData("\t@!%p2 bra $L__BB0_3;")]
    [InlineData("\tld.global.nc.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1];")]
    [InlineData("$L__tmp0:")]
    [InlineData("\t.loc\t1 2 0 // call nothing")]
    [InlineData("\tcvt.rn.bf16x2.f32 %r1, %f1, %f2;")]
    public void Other_lines_are_not(string line) => Assert.Empty(PtxRules.Breaches(line, Opcodes));

    [Fact]
    public void The_kernels_use_tensor_cores_asynchronous_copies_and_ldmatrix()
    {
        string all = string.Concat(CudaModule.Names().Select(CudaModule.Text));
        foreach (string opcode in new[] { "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "ldmatrix.sync.aligned.m8n8.x4", "cp.async.cg.shared.global" })
        {
            Assert.Contains(opcode, all, StringComparison.Ordinal);
        }
    }
}
