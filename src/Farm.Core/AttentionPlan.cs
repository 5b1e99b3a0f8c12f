namespace Farm.Core;

/// <summary>
/// Which keys each query row of one forward pass sees. Sequences come in groups; the sequences of a group share a prefix (a
/// prompt's pages, read once per group) and each owns a suffix. Sequence s has query rows
/// <c>QueryStart[s] .. QueryStart[s + 1]</c>, the newest of its suffix: with c query rows and suffix length L (the new tokens
/// included, already appended), row i sees the whole prefix and suffix positions 0 .. L - c + i.
/// Prefill is a group with no prefix and one sequence; decode is c = 1. The arrays are pinned and reused: filling a plan allocates nothing.
/// </summary>
public sealed class AttentionPlan
{
    /// <summary>Room for so many groups, sequences and page references.</summary>
    public AttentionPlan(int maxGroups, int maxSequences, int maxPages)
    {
        SequenceStart = Pinned(maxGroups + 1);
        PrefixLength = Pinned(maxGroups);
        PrefixPageStart = Pinned(maxGroups + 1);
        QueryStart = Pinned(maxSequences + 1);
        SuffixLength = Pinned(maxSequences);
        SuffixPageStart = Pinned(maxSequences + 1);
        PrefixPages = Pinned(maxPages);
        SuffixPages = Pinned(maxPages);
    }

    /// <summary>Number of groups.</summary>
    public int Groups { get; private set; }

    /// <summary>Number of sequences over all groups.</summary>
    public int Sequences { get; private set; }

    /// <summary>Number of query rows.</summary>
    public int QueryRows => QueryStart[Sequences];

    /// <summary>First sequence of each group, [Groups + 1].</summary>
    public int[] SequenceStart { get; }

    /// <summary>Tokens of each group's shared prefix, [Groups]; 0 for none.</summary>
    public int[] PrefixLength { get; }

    /// <summary>First entry of each group in <see cref="PrefixPages"/>, [Groups + 1].</summary>
    public int[] PrefixPageStart { get; }

    /// <summary>Page numbers of the prefixes.</summary>
    public int[] PrefixPages { get; }

    /// <summary>First query row of each sequence, [Sequences + 1].</summary>
    public int[] QueryStart { get; }

    /// <summary>Tokens of each sequence's suffix, new tokens included, [Sequences].</summary>
    public int[] SuffixLength { get; }

    /// <summary>First entry of each sequence in <see cref="SuffixPages"/>, [Sequences + 1].</summary>
    public int[] SuffixPageStart { get; }

    /// <summary>Page numbers of the suffixes.</summary>
    public int[] SuffixPages { get; }

    /// <summary>Empties the plan.</summary>
    public void Clear()
    {
        Groups = 0;
        Sequences = 0;
        SequenceStart[0] = PrefixPageStart[0] = QueryStart[0] = SuffixPageStart[0] = 0;
    }

    /// <summary>Opens a group whose sequences share <paramref name="prefixLength"/> tokens in <paramref name="pages"/>.</summary>
    public void BeginGroup(int prefixLength, ReadOnlySpan<int> pages)
    {
        int g = Groups++;
        PrefixLength[g] = prefixLength;
        int used = KvPool.PagesFor(prefixLength);
        pages[..used].CopyTo(PrefixPages.AsSpan(PrefixPageStart[g]));
        PrefixPageStart[g + 1] = PrefixPageStart[g] + used;
        SequenceStart[g + 1] = SequenceStart[g];
    }

    /// <summary>Adds a sequence to the open group: its newest <paramref name="queryRows"/> tokens are the queries.</summary>
    public void AddSequence(int queryRows, int suffixLength, ReadOnlySpan<int> pages)
    {
        int s = Sequences++;
        QueryStart[s + 1] = QueryStart[s] + queryRows;
        SuffixLength[s] = suffixLength;
        int used = KvPool.PagesFor(suffixLength);
        pages[..used].CopyTo(SuffixPages.AsSpan(SuffixPageStart[s]));
        SuffixPageStart[s + 1] = SuffixPageStart[s] + used;
        SequenceStart[Groups]++;
    }

    private static int[] Pinned(int length) => GC.AllocateArray<int>(Math.Max(length, 1), pinned: true);
}
