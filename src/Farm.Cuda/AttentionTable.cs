using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// A plan as the attention kernels read it: work items, page numbers, and for each token where its partial results go (attention_common.cuh). Built on the
/// host for every call and sent only when it differs from what the device holds, so once a step and not once a layer. Its places on the device change
/// only when it outgrows them.
/// </summary>
internal sealed class AttentionTable(Func<long, CudaMemory> allocate) : IDisposable
{
    /// <summary>Keys of a span.</summary>
    internal const int Span = 512;

    private const int ItemWords = 12;

    private CudaMemory? _memory;
    private int[] _image = [], _sent = [];
    private int _itemRoom, _pageRoom, _tokenRoom, _pages;

    /// <summary>Work items.</summary>
    internal int Items { get; private set; }

    /// <summary>Partial results over all tokens and query heads; 0 where every token has one item.</summary>
    internal long Partials { get; private set; }

    /// <summary>Whether an item walks through more than one span.</summary>
    internal bool SeveralSpans { get; private set; }

    /// <summary>The items on the device.</summary>
    internal nint ItemAddress => _memory!.Address;

    /// <summary>The page numbers on the device.</summary>
    internal nint PageAddress => _memory!.Address + (nint)((long)_itemRoom * ItemWords * sizeof(int));

    /// <summary>The tokens' places on the device.</summary>
    internal nint SlotAddress => PageAddress + (nint)((long)_pageRoom * sizeof(int));

    /// <summary>Most rows of a prefix or suffix: query tokens times heads of a key/value head.</summary>
    internal static int MostRows(AttentionPlan plan, int headsPerKv)
    {
        int most = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1];
            most = plan.PrefixLength[g] > 0 ? Math.Max(most, plan.QueryStart[end] - plan.QueryStart[first]) : most;
            for (int s = first; s < end; s++)
            {
                most = Math.Max(most, plan.QueryStart[s + 1] - plan.QueryStart[s]);
            }
        }

        return most * headsPerKv;
    }

    /// <summary>Builds the table for blocks of so many rows; returns what is to be sent, empty if the device holds it already.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="queryHeads">Query heads.</param>
    /// <param name="headsPerKv">Query heads of a key/value head.</param>
    /// <param name="tileRows">Rows of a block.</param>
    /// <param name="walk">Whether items of many rows may walk through several spans.</param>
    internal ReadOnlySpan<int> Build(AttentionPlan plan, int queryHeads, int headsPerKv, int tileRows, bool walk)
    {
        Reserve(plan, headsPerKv, tileRows);
        Items = 0;
        Partials = 0;
        SeveralSpans = false;
        int prefixPages = plan.PrefixPageStart[plan.Groups];
        _pages = prefixPages + plan.SuffixPageStart[plan.Sequences];
        plan.PrefixPages.AsSpan(0, prefixPages).CopyTo(_image.AsSpan(PagePlace));
        plan.SuffixPages.AsSpan(0, _pages - prefixPages).CopyTo(_image.AsSpan(PagePlace + prefixPages));
        for (int g = 0; g < plan.Groups; g++)
        {
            int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1], prefix = plan.PrefixLength[g], slots = 0;
            if (prefix > 0)
            {
                int token = plan.QueryStart[first], tokens = plan.QueryStart[end] - token;
                slots = Add(plan.PrefixPageStart[g], prefix, token, tokens * headsPerKv, prefix, 0, tileRows, walk);
            }

            for (int s = first; s < end; s++)
            {
                int token = plan.QueryStart[s], tokens = plan.QueryStart[s + 1] - token, length = plan.SuffixLength[s];
                // Only what is folded first may be folded inside a block: a suffix after a prefix gives a result for each span.
                int all = slots + Add(prefixPages + plan.SuffixPageStart[s], length, token, tokens * headsPerKv, length - tokens + 1, slots, tileRows, walk && prefix == 0);
                for (int t = token; t < token + tokens; t++)
                {
                    _image[SlotPlace + (2 * t)] = checked((int)Partials);
                    _image[SlotPlace + (2 * t) + 1] = all;
                    Partials += all > 1 ? (long)queryHeads * all : 0;
                }
            }
        }

        var used = _image.AsSpan(0, SlotPlace + (2 * plan.QueryRows));
        if (used.SequenceEqual(_sent.AsSpan(0, used.Length)))
        {
            return [];
        }

        used.CopyTo(_sent);
        return used;
    }

    public void Dispose() => _memory?.Dispose();

    private int PagePlace => _itemRoom * ItemWords;

    private int SlotPlace => PagePlace + _pageRoom;

    // The items of a prefix or suffix; returns how many results a row of it gives.
    private int Add(int firstPage, int length, int token, int rows, int limit, int slot, int tileRows, bool walk)
    {
        int spans = (length + Span - 1) / Span;
        bool whole = walk && rows > tileRows;
        int parts = whole ? 1 : spans;
        SeveralSpans |= whole && spans > 1;
        for (int row = 0; row < rows; row += tileRows)
        {
            for (int part = 0; part < parts; part++)
            {
                var item = _image.AsSpan(Items++ * ItemWords, ItemWords);
                (item[0], item[1], item[2], item[3]) = (firstPage, length, part * Span, whole ? length : Math.Min(length, (part + 1) * Span));
                (item[4], item[5], item[6], item[7]) = (token, row, rows, limit);
                item[8] = slot + part;
                item[9..].Clear();
            }
        }

        return parts;
    }

    private void Reserve(AttentionPlan plan, int headsPerKv, int tileRows)
    {
        int items = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1];
            items += Count(plan.PrefixLength[g], plan.QueryStart[end] - plan.QueryStart[first]);
            for (int s = first; s < end; s++)
            {
                items += Count(plan.SuffixLength[s], plan.QueryStart[s + 1] - plan.QueryStart[s]);
            }
        }

        int pages = plan.PrefixPageStart[plan.Groups] + plan.SuffixPageStart[plan.Sequences];
        if (_memory is not null && items <= _itemRoom && pages <= _pageRoom && plan.QueryRows <= _tokenRoom)
        {
            return;
        }

        _itemRoom = Room(items, _itemRoom);
        _pageRoom = Room(pages, _pageRoom);
        _tokenRoom = Room(plan.QueryRows, _tokenRoom);
        int words = (_itemRoom * ItemWords) + _pageRoom + (2 * _tokenRoom);
        _memory?.Dispose();
        _memory = null;
        _memory = allocate((long)words * sizeof(int));
        _image = new int[words];
        _sent = new int[words];
        // Differs from any image, so that the first one is sent.
        Array.Fill(_sent, -1);

        int Count(int length, int tokens) => (length + Span - 1) / Span * (((tokens * headsPerKv) + tileRows - 1) / tileRows);
        static int Room(int needed, int now) => needed <= now ? now : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(needed, 64));
    }
}
