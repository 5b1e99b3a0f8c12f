using Farm.Core;

namespace Farm.Models.Llama;

/// <summary>
/// The rows of one forward pass: token ids, positions and K/V slots, packed without padding, and which keys each row sees. Filled
/// anew before every pass; filling allocates nothing.
/// </summary>
public sealed class ForwardBatch
{
    private int _prefixLength;

    /// <summary>Room for so many rows, groups, sequences and page references.</summary>
    public ForwardBatch(int maxRows, int maxSequences, int maxPages)
    {
        TokenIds = GC.AllocateArray<int>(maxRows, pinned: true);
        Positions = GC.AllocateArray<int>(maxRows, pinned: true);
        Slots = GC.AllocateArray<int>(maxRows, pinned: true);
        MaxSequences = maxSequences;
        MaxPages = maxPages;
        Plan = new AttentionPlan(maxSequences, maxSequences, maxPages);
        Clear();
    }

    /// <summary>Rows in the batch.</summary>
    public int Rows { get; private set; }

    /// <summary>Rows there is room for.</summary>
    public int MaxRows => TokenIds.Length;

    /// <summary>Sequences (and groups) there is room for.</summary>
    public int MaxSequences { get; }

    /// <summary>Page references there is room for, prefixes and suffixes each.</summary>
    public int MaxPages { get; }

    /// <summary>Token id of each row.</summary>
    public int[] TokenIds { get; }

    /// <summary>Position of each row in its whole sequence, from 0.</summary>
    public int[] Positions { get; }

    /// <summary>Where each row's key and value go: page * PageTokens + offset.</summary>
    public int[] Slots { get; }

    /// <summary>Which keys each row sees.</summary>
    public AttentionPlan Plan { get; }

    /// <summary>Empties the batch.</summary>
    public void Clear()
    {
        Rows = 0;
        Plan.Clear();
    }

    /// <summary>Opens a group of sequences that share <paramref name="prefixLength"/> tokens already in <paramref name="pages"/>.</summary>
    public void BeginGroup(int prefixLength, ReadOnlySpan<int> pages)
    {
        _prefixLength = prefixLength;
        Plan.BeginGroup(prefixLength, pages);
    }

    /// <summary>
    /// Adds to the open group the rows <paramref name="tokens"/>, the newest of a suffix that is <paramref name="suffixLength"/> tokens
    /// long with them and lies in <paramref name="pages"/>.
    /// </summary>
    public void Add(ReadOnlySpan<int> tokens, int suffixLength, ReadOnlySpan<int> pages)
    {
        Plan.AddSequence(tokens.Length, suffixLength, pages);
        int first = suffixLength - tokens.Length;
        for (int i = 0; i < tokens.Length; i++)
        {
            int offset = first + i;
            TokenIds[Rows] = tokens[i];
            Positions[Rows] = _prefixLength + offset;
            Slots[Rows] = (pages[offset / KvPool.PageTokens] * KvPool.PageTokens) + (offset % KvPool.PageTokens);
            Rows++;
        }
    }
}
