using System.Text.RegularExpressions;

namespace Farm.Cuda.Ptx;

/// <summary>A kernel as its PTX text declares it: what a launch must pass and may ask for.</summary>
/// <param name="Name">Name of the entry.</param>
/// <param name="ParameterBytes">Size of each parameter, in order.</param>
/// <param name="MaxThreads">Threads of a block at most (<c>.maxntid</c>), 0 where it does not say.</param>
internal sealed partial record PtxEntry(string Name, byte[] ParameterBytes, int MaxThreads)
{
    /// <summary>All entries of a PTX text.</summary>
    internal static IReadOnlyDictionary<string, PtxEntry> Parse(string ptx)
    {
        var entries = new Dictionary<string, PtxEntry>(StringComparer.Ordinal);
        foreach (Match head in EntryPattern().Matches(ptx))
        {
            var sizes = new List<byte>();
            foreach (Match parameter in ParameterPattern().Matches(head.Groups["list"].Value))
            {
                int count = parameter.Groups["count"].Success ? int.Parse(parameter.Groups["count"].ValueSpan) : 1;
                sizes.Add(checked((byte)(count * int.Parse(parameter.Groups["bits"].ValueSpan) / 8)));
            }

            int body = head.Index + head.Length, end = ptx.IndexOf("\n}", body, StringComparison.Ordinal);
            string text = ptx[body..(end < 0 ? ptx.Length : end)];
            var threads = ThreadsPattern().Match(text);
            string name = head.Groups["name"].Value;
            entries.Add(name, new PtxEntry(name, [.. sizes], threads.Success ? int.Parse(threads.Groups[1].ValueSpan) : 0));
        }

        return entries;
    }

    [GeneratedRegex(@"\.entry\s+(?<name>[\w$]+)\s*\((?<list>[^)]*)\)")]
    private static partial Regex EntryPattern();

    [GeneratedRegex(@"\.param\s+(\.align\s+\d+\s+)?\.[a-z](?<bits>\d+)\s+(\.ptr\s+(\.\w+\s+)?\.align\s+\d+\s+)?[\w$]+(\[(?<count>\d+)\])?")]
    private static partial Regex ParameterPattern();

    [GeneratedRegex(@"\.maxntid\s+(\d+)")]
    private static partial Regex ThreadsPattern();
}
