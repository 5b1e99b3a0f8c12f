#nullable disable
using System.Text.RegularExpressions;

/// <summary>
/// What compiled kernels may contain. The build checks every PTX file with it: the driver would refuse some of this only on the user's machine, and
/// the rest (local memory, generic addresses) would run, slowly.
/// </summary>
public static class PtxRules
{
    private static readonly Regex Label = new(@"^[\$\w]+:\s*", RegexOptions.Compiled);
    private static readonly Regex Guard = new(@"^@!?%?\w+\s+", RegexOptions.Compiled);

    /// <summary>The opcodes of a list: the third column; # begins a comment.</summary>
    public static IReadOnlyList<string> Opcodes(IEnumerable<string> lines) =>
        lines.Select(l => l.Split('#')[0].Split((char[])null, System.StringSplitOptions.RemoveEmptyEntries))
            .Where(f => f.Length > 0).Select(f => f.Length == 3 ? f[2] : throw new InvalidDataException("an opcode line has three columns: " + string.Join(" ", f))).ToList();

    /// <summary>Every breach in a PTX text, with its line; none for a kernel that may ship.</summary>
    public static IEnumerable<string> Breaches(string ptx, IReadOnlyList<string> opcodes)
    {
        int number = 0;
        foreach (string raw in ptx.Split('\n'))
        {
            number++;
            string line = raw.Split(new[] { "//" }, System.StringSplitOptions.None)[0].Trim();
            if (line.Contains(".func"))
            {
                yield return $"line {number}: a function that was not inlined or is not there: {line}";
            }
            else if (Regex.IsMatch(line, @"\.local\b|__local_depot"))
            {
                yield return $"line {number}: local memory (an array indexed at run time, or a loop that was not unrolled): {line}";
            }

            foreach (string statement in line.Split(';'))
            {
                string text = Guard.Replace(Label.Replace(statement.Trim().TrimStart('{').Trim(), string.Empty), string.Empty).Trim();
                if (text.Length == 0 || !char.IsLetter(text[0]))
                {
                    continue;
                }

                string opcode = text.Split(' ', '\t', ',')[0];
                if (text.EndsWith(':') || opcode.EndsWith(':'))
                {
                    continue;
                }

                if (opcode == "call" || opcode.StartsWith("call.", System.StringComparison.Ordinal))
                {
                    yield return $"line {number}: a call: {text}";
                }
                else if (Regex.IsMatch(opcode, @"^(ld|st)\.") && !Regex.IsMatch(opcode, @"^(ld|st)\.(volatile\.|relaxed\.\w+\.|acquire\.\w+\.)?(global|shared|param|const)\b"))
                {
                    yield return $"line {number}: an access that lost its state space: {text}";
                }
                else if (opcode.StartsWith("cvt.ftz.f32.bf16", System.StringComparison.Ordinal))
                {
                    yield return $"line {number}: {opcode} needs sm_90; convert with integer shifts: {text}";
                }
                else if (!opcodes.Any(o => opcode == o || opcode.StartsWith(o + ".", System.StringComparison.Ordinal)))
                {
                    yield return $"line {number}: opcode {opcode} is not listed in kernels/opcodes.txt: {text}";
                }
            }
        }
    }
}
