using System.Text.RegularExpressions;
using Farm.Core;
using Farm.Cuda;
using Farm.Cuda.Driver;

namespace Farm.Cli.Kernels;

/// <summary>One mistake in the shipped kernels, planted in their PTX, and the name by which the driver simulator's checker must find it.</summary>
/// <param name="Mistake">What is wrong, in words.</param>
/// <param name="Module">The .cu file's name without its ending.</param>
/// <param name="Names">The checker's names for it: in a race it depends on the order of the threads which access comes second.</param>
/// <param name="Edit">Changes the body of an entry; unchanged where it has no place for the mistake.</param>
/// <param name="Case">The operation that runs the kernel.</param>
internal sealed record PlantedBug(string Mistake, string Module, string[] Names, Func<string, string> Edit, KernelCase Case)
{
    private static readonly Regex Entry = new(@"^\{.*?^\}", RegexOptions.Multiline | RegexOptions.Singleline);

    /// <summary>All of them: barriers, waits, fragments, alignment, bounds.</summary>
    public static IEnumerable<PlantedBug> All()
    {
        var product = new KernelCase("matmul", "[128, 96] x [96, 80], bf16", 0, 0, 0, o =>
        {
            var (a, b, rounded, c) = (o.Real(128, 96), o.Real(80, 96), o.Zero(80, 96, DType.BF16), o.Zero(128, 80));
            o.Backend.Copy(b, rounded);
            return new KernelRun(() => o.Backend.MatMul(a, false, rounded, true, c), () => o.Read(c));
        });
        var heads = new ModelShape("heads", 256, 512, 4, 2, 128, 100, 1);
        var attention = InferenceCases.AttentionPrefill(heads, 70, DType.BF16);
        var group = InferenceCases.AttentionDecode(heads, 16, 600, 20, DType.BF16);
        var rows = InferenceCases.Linear("linear", 256, 64, 16, DType.BF16);
        var prefill = InferenceCases.Linear("linear", 256, 64, 70, DType.I8);
        var norm = InferenceCases.RmsNorm(5, 200);

        yield return new("a barrier of the product's loop removed", "matmul_bf16", ["read-after-write-race"], Without("bar.sync", last: true), product);
        yield return new("the last barrier of the attention's loop removed", "attention", ["write-after-read-race"], Without("bar.sync", last: true), attention);
        yield return new("the turns of the warps that fold the same rows left to chance", "attention_group_d128", ["write-after-write-race", "read-after-write-race", "write-after-read-race"],
            Without("bar.sync", last: true), group);
        yield return new("the wait lets one more group be under way", "matmul_bf16", ["async-copy-in-flight", "read-after-write-race"],
            Replaced(@"cp\.async\.wait_group 2;", _ => "cp.async.wait_group 3;"), product);
        yield return new("the wait of the int8 product left out", "linear_dense_int8", ["async-copy-in-flight", "read-after-write-race"], Without("cp.async.wait_group 2", last: false), prefill);
        yield return new("a1 and a2 of the left fragment exchanged", "matmul_bf16", ["fragment"],
            Replaced(@"(?<=mma\.sync[^;]*?\},\{%r\d+,\s*)(%r\d+)(,\s*)(%r\d+)", m => m.Groups[3].Value + m.Groups[2].Value + m.Groups[1].Value), product);
        yield return new("b0 and b1 of the right fragment exchanged", "attention_group_d128", ["fragment"],
            Replaced(@"(?<=mma\.sync[^;]*?\},\{[^}]*\},\{)(%r\d+)(,\s*)(%r\d+)", m => m.Groups[3].Value + m.Groups[2].Value + m.Groups[1].Value), group);
        yield return new("ldmatrix without its .trans", "attention", ["fragment"], Replaced(@"\.x4\.trans\.shared", _ => ".x4.shared"), attention);
        yield return new("ldmatrix with a .trans too many", "matmul_bf16", ["fragment"], Replaced(@"\.x4\.shared", _ => ".x4.trans.shared"), product);
        yield return new("a 16-byte load of weights 4 bytes off", "linear_skinny", ["misaligned-access"],
            Replaced(@"(?<=ld\.global\.nc\.v4\.u32\s+\{[^}]*\}, \[%rd\d+)(\+\d+)?\]", m => "+" + (4 + (m.Groups[1].Success ? int.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) : 0)) + "]"), rows);
        yield return new("a load of the row's next element", "rows", ["out-of-bounds"], Replaced(@"(?<=ld\.global(?:\.nc)?\.f32\s+%f\d+, \[%rd\d+)\]", _ => "+4]"), norm);
    }

    /// <summary>Runs the case with the mistake; what the checker reported, empty if nothing.</summary>
    public string Run()
    {
        bool planted = false;
        Simulator.Rewrite = (module, text) =>
        {
            string changed = module == Module ? Entry.Replace(text, m => Edit(m.Value)) : text;
            planted |= !ReferenceEquals(changed, text) && changed != text;
            return changed;
        };
        try
        {
            using var backend = new CudaBackend(simulator: true);
            Simulator.Configure("QUIET", "1");
            try
            {
                using var operands = new CaseOperands(backend);
                Case.Prepare(operands).Run();
                backend.Synchronize();
            }
            catch (CudaException)
            {
                return Simulator.LastReport();
            }
            finally
            {
                Simulator.ClearError();
            }
        }
        finally
        {
            Simulator.Rewrite = null;
        }

        return planted ? string.Empty : throw new InvalidOperationException($"kernels/{Module}.cu has no place for: {Mistake}.");
    }

    private static Func<string, string> Replaced(string pattern, MatchEvaluator by) => body => Regex.Replace(body, pattern, by);

    private static Func<string, string> Without(string statement, bool last) => body =>
    {
        int at = last ? body.LastIndexOf(statement, StringComparison.Ordinal) : body.IndexOf(statement, StringComparison.Ordinal);
        return at < 0 ? body : body.Remove(at, body.IndexOf(';', at) + 1 - at);
    };
}
