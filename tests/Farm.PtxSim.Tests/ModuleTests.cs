namespace Farm.PtxSim.Tests;

/// <summary>PTX that cannot be run is refused at load, with its line.</summary>
[Collection("simulator")]
public sealed class ModuleTests
{
    private const string Head = ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n.reg .b32 %r<4>;\n.reg .b64 %d<4>;\n.reg .pred %p<2>;\n";

    public ModuleTests() => _ = new Session();

    [Theory]
    [InlineData("frobnicate.b32 %r1, %r2;", "frobnicate.b32: opcode is not known to the simulator")]
    [InlineData("add.foo.s32 %r1, %r2, %r3;", "modifier .foo")]
    [InlineData("add.rz.f32 %r1, %r2, %r3;", "modifier .rz")]
    [InlineData("add.s32 %r1, %r2;", "has 2 operands")]
    [InlineData("add.s64 %d1, %r2, %d3;", "has 32 bits, not 64")]
    [InlineData("add.s32 %r1, %r2, %r9;", "special register %r9")]
    [InlineData("bra nowhere;", "label nowhere of k does not exist")]
    [InlineData("mov.u32 %r1, %nosuch;", "special register %nosuch")]
    [InlineData("ld.global.u32 %r1, [%r2];", "an address register must have 64 bits")]
    [InlineData("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%d1,%d2},{%d1},{%d1},{%d1,%d2};", "not supported")]
    [InlineData("call f;", "opcode is not known")]
    [InlineData("@%r1 add.s32 %r1, %r2, %r3;", "guard is not a predicate")]
    [InlineData("cvt.ftz.f32.bf16 %r1, %r2;", "needs .target sm_90")]
    public void Bad_statement_is_named_with_its_line(string statement, string message)
    {
        Assert.Equal(Session.InvalidPtx, Session.TryLoad(Head + statement + "\nret;\n}\n", out _));
        Assert.Contains(message, Session.Report, StringComparison.Ordinal);
        Assert.Matches(@"^PTX line \d+: ", Session.Report);
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData(".version 7.0\n.target sm_80\n.func f() { ret; }")]
    [InlineData(".version 7.0\n.target sm_80\n.entry k() {")]
    [InlineData(".version 7.0\n.target sm_80\n.entry k() { .local .b8 x[4]; ret; }")]
    [InlineData(".version 7.0\n.target sm_80\n.global .u32 x[2] = {1, 2, 3};")]
    [InlineData(".version 7.0\n.target sm_80\n.global .u32 x = ;")]
    [InlineData(".version seven\n")]
    public void Text_that_is_no_module_is_refused(string text) => Assert.Equal(Session.InvalidPtx, Session.TryLoad(text, out _));

    [Fact]
    public void Every_prefix_of_a_module_is_refused_or_loaded_but_never_ends_the_process()
    {
        string ptx = Repository.Compile("planted.cu");
        var random = new Random(3);
        for (int k = 0; k < 60; k++)
        {
            int result = Session.TryLoad(ptx[..random.Next(ptx.Length)], out _);
            Assert.True(result is Session.Success or Session.InvalidPtx);
        }
    }

    [Fact]
    public void Changed_characters_are_refused_or_loaded_but_never_end_the_process()
    {
        string ptx = Repository.Compile("basics.cu");
        var random = new Random(4);
        for (int k = 0; k < 60; k++)
        {
            char[] text = ptx.ToCharArray();
            for (int change = 0; change < 3; change++)
            {
                text[random.Next(text.Length)] = (char)random.Next(32, 127);
            }

            int result = Session.TryLoad(new string(text), out _);
            Assert.True(result is Session.Success or Session.InvalidPtx);
        }
    }

    [Fact]
    public void Nested_scopes_have_registers_of_their_own()
    {
        const string body = """
            ld.param.u64 %d1, [p];
            mov.u32 %r1, 5;
            { .reg .b32 %r1; .reg .pred q; mov.u32 %r1, 9; setp.eq.u32 q, %r1, 9; @q bra inner; mov.u32 %r1, 1; inner: st.global.u32 [%d1+4], %r1; }
            st.global.u32 [%d1], %r1;
            ret;
            }
            """;
        ulong output = Session.Upload(new uint[2]);
        Session.Check(Session.Run(Session.Function(Session.Load(Head + body), "k"), 1, 32, output));
        Assert.Equal([5u, 9u], Session.Download<uint>(output, 2));
    }

    [Fact]
    public void Guarded_statements_run_for_the_lanes_of_their_predicate()
    {
        const string body = """
            ld.param.u64 %d1, [p];
            mov.u32 %r1, %tid.x;
            mul.wide.u32 %d2, %r1, 4;
            add.s64 %d1, %d1, %d2;
            setp.lt.u32 %p1, %r1, 10;
            mov.u32 %r2, 1;
            @%p1 mov.u32 %r2, 2;
            @!%p1 add.s32 %r2, %r2, 40;
            st.global.u32 [%d1], %r2;
            @%p1 exit;
            st.global.u32 [%d1], %r1;
            ret;
            }
            """;
        ulong output = Session.Upload(new uint[32]);
        Session.Check(Session.Run(Session.Function(Session.Load(Head + body), "k"), 1, 32, output));
        Assert.Equal(Enumerable.Range(0, 32).Select(t => t < 10 ? 2u : (uint)t), Session.Download<uint>(output, 32));
    }

    [Theory]
    [InlineData("shfl.sync.bfly.b32 %r3, %r2, 31, 31, -1;")]
    [InlineData("bar.sync 0; shfl.sync.bfly.b32 %r3, %r2, 31, 31, -1;")]
    [InlineData("bar.warp.sync -1; shfl.sync.bfly.b32 %r3, %r2, 31, 31, -1;")]
    public void Lanes_that_come_late_are_waited_for_wherever_their_block_stands(string meeting)
    {
        string body = $$"""
            ld.param.u64 %d1, [p];
            mov.u32 %r1, %tid.x;
            mul.wide.u32 %d2, %r1, 4;
            add.s64 %d1, %d1, %d2;
            setp.lt.u32 %p1, %r1, 16;
            @%p1 bra late;
            mov.u32 %r2, 1;
            join: {{meeting}}
            st.global.u32 [%d1], %r3;
            ret;
            late: mov.u32 %r2, 2;
            bra join;
            }
            """;
        ulong output = Session.Upload(new uint[32]);
        Session.Check(Session.Run(Session.Function(Session.Load(Head + body), "k"), 1, 32, output));
        Assert.Equal(Enumerable.Range(0, 32).Select(t => t < 16 ? 1u : 2u), Session.Download<uint>(output, 32));
    }

    [Fact]
    public void Lanes_that_wait_at_two_places_are_named()
    {
        const string body = """
            mov.u32 %r1, %tid.x;
            setp.lt.u32 %p1, %r1, 16;
            @%p1 bra late;
            shfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;
            ret;
            late: shfl.sync.bfly.b32 %r3, %r1, 1, 31, -1;
            ret;
            }
            """;
        Assert.Equal(715, Session.Run(Session.Function(Session.Load(Head + body), "k"), 1, 32, 0ul));
        Assert.StartsWith("divergent-warp", Session.Report, StringComparison.Ordinal);
        Assert.Contains("missing are lanes", Session.Report, StringComparison.Ordinal);
    }
}
