using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// A plan as the attention kernels read it: work items, page numbers, and for each token where its partial results lie (attention_common.cuh). Built on the
/// host for every call and sent only when it differs from what the device holds, so once a step and not once a layer. Its places on the device change
/// only when it outgrows them.
/// <para>
/// Items come in two lots: those that leave partial results, then those that fold them and write the output. A prefix is walked whole by one item for each
/// tile of rows where that already gives every multiprocessor two blocks; otherwise each of its spans is an item, unless it has so many rows that their
/// partial results would outweigh its keys. A suffix without a prefix likewise; one after a prefix is walked whole. Which it is changes no bit.
/// </para>
/// </summary>
internal sealed class AttentionTable(Func<long, CudaMemory> allocate) : IDisposable
{
    private const int FinalFlag = 1, TotalsFlag = 2;

    /// <summary>Partial results of more samples would outweigh the keys and values of a span.</summary>
    private const int MostSamples = 32;

    private const int ItemWords = 12;

    private CudaMemory? _memory;
    private int[] _image = [], _sent = [];
    private int _itemRoom, _pageRoom, _tokenRoom, _pages, _items;

    /// <summary>Items that leave partial results; they come first.</summary>
    internal int PartialItems { get; private set; }

    /// <summary>Items that write the output.</summary>
    internal int FinalItems { get; private set; }

    /// <summary>Partial results over all tokens and query heads.</summary>
    internal long Partials { get; private set; }

    /// <summary>Whether an item that leaves partial results walks through more than one span.</summary>
    internal bool PartialTotals { get; private set; }

    /// <summary>Whether an item that writes the output folds more than one result.</summary>
    internal bool FinalTotals { get; private set; }

    /// <summary>The items on the device.</summary>
    internal nint ItemAddress => _memory!.Address;

    /// <summary>The first of them that writes the output.</summary>
    internal nint FinalAddress => ItemAddress + (nint)((long)PartialItems * ItemWords * sizeof(int));

    /// <summary>The page numbers on the device.</summary>
    internal nint PageAddress => _memory!.Address + (nint)((long)_itemRoom * ItemWords * sizeof(int));

    /// <summary>The tokens' places on the device.</summary>
    internal nint SlotAddress => PageAddress + (nint)((long)_pageRoom * sizeof(int));

    /// <summary>Keys of a span: with 16 samples its partial results are a twelfth to a sixteenth of its keys and values for any number of heads.</summary>
    internal static int Span(int headsPerKv) => headsPerKv == 1 ? 384 : 512 * headsPerKv;

    /// <summary>Most rows (query tokens times heads of a key/value head) of what leaves partial results, and of what writes the output.</summary>
    internal static (int Partial, int Final) MostRows(AttentionPlan plan, int headsPerKv)
    {
        int partial = 0, final = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1], most = 0;
            for (int s = first; s < end; s++)
            {
                most = Math.Max(most, plan.QueryStart[s + 1] - plan.QueryStart[s]);
            }

            final = Math.Max(final, most);
            partial = Math.Max(partial, plan.PrefixLength[g] > 0 ? plan.QueryStart[end] - plan.QueryStart[first] : most);
        }

        return (partial * headsPerKv, final * headsPerKv);
    }

    /// <summary>Builds the table; returns what is to be sent, empty if the device holds it already.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="queryHeads">Query heads.</param>
    /// <param name="kvHeads">Key/value heads.</param>
    /// <param name="partialTile">Rows of a block that leaves partial results.</param>
    /// <param name="finalTile">Rows of a block that writes the output.</param>
    /// <param name="multiprocessors">Multiprocessors to keep busy.</param>
    internal ReadOnlySpan<int> Build(AttentionPlan plan, int queryHeads, int kvHeads, int partialTile, int finalTile, int multiprocessors)
    {
        int group = queryHeads / kvHeads, span = Span(group);
        Reserve(plan, group, Math.Min(partialTile, finalTile));
        _items = 0;
        Partials = 0;
        PartialTotals = FinalTotals = false;
        int prefixPages = plan.PrefixPageStart[plan.Groups];
        _pages = prefixPages + plan.SuffixPageStart[plan.Sequences];
        plan.PrefixPages.AsSpan(0, prefixPages).CopyTo(_image.AsSpan(PagePlace));
        plan.SuffixPages.AsSpan(0, _pages - prefixPages).CopyTo(_image.AsSpan(PagePlace + prefixPages));
        var (prefixBlocks, suffixBlocks) = WholeBlocks(plan, group, partialTile, finalTile);
        bool splitPrefixes = prefixBlocks * kvHeads < 2 * multiprocessors, splitSuffixes = suffixBlocks * kvHeads < 2 * multiprocessors;
        for (int g = 0; g < plan.Groups; g++)
        {
            int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1], prefix = plan.PrefixLength[g], slots = 0;
            if (prefix > 0)
            {
                int token = plan.QueryStart[first], rows = (plan.QueryStart[end] - token) * group;
                slots = Parts(prefix, rows, group, splitPrefixes);
                AddPartial(plan.PrefixPageStart[g], prefix, token, rows, prefix, slots, partialTile, span);
            }

            for (int s = first; s < end; s++)
            {
                int token = plan.QueryStart[s], tokens = plan.QueryStart[s + 1] - token, length = plan.SuffixLength[s];
                int parts = prefix > 0 ? slots : Parts(length, tokens * group, group, splitSuffixes);
                if (prefix == 0)
                {
                    parts = parts > 1 ? parts : 0;
                    AddPartial(prefixPages + plan.SuffixPageStart[s], length, token, tokens * group, length - tokens + 1, parts, partialTile, span);
                }

                for (int t = token; t < token + tokens; t++)
                {
                    _image[SlotPlace + (2 * t)] = checked((int)Partials);
                    _image[SlotPlace + (2 * t) + 1] = parts;
                    Partials += (long)queryHeads * parts;
                }
            }
        }

        PartialItems = _items;
        for (int g = 0; g < plan.Groups; g++)
        {
            bool prefix = plan.PrefixLength[g] > 0;
            for (int s = plan.SequenceStart[g]; s < plan.SequenceStart[g + 1]; s++)
            {
                int token = plan.QueryStart[s], tokens = plan.QueryStart[s + 1] - token, length = plan.SuffixLength[s];
                int parts = tokens > 0 ? _image[SlotPlace + (2 * token) + 1] : 0;
                // A suffix whose spans left partial results has no key left to walk through.
                int begin = !prefix && parts > 0 ? length : 0;
                bool totals = parts > 0 || length > span;
                FinalTotals |= totals;
                for (int row = 0; row < tokens * group; row += finalTile)
                {
                    Add(prefixPages + plan.SuffixPageStart[s], length, begin, length, token, row, tokens * group, length - tokens + 1, 0, FinalFlag | (totals ? TotalsFlag : 0), span);
                }
            }
        }

        FinalItems = _items - PartialItems;
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

    // Spans of a prefix or suffix that are items of their own; 1 where one walks through all.
    private static int Parts(int length, int rows, int headsPerKv, bool split) => split && rows <= MostSamples * headsPerKv ? (length + Span(headsPerKv) - 1) / Span(headsPerKv) : 1;

    // Blocks, for each key/value head, of the prefixes and of the suffixes that have none, where each is walked whole.
    private static (long Prefixes, long Suffixes) WholeBlocks(AttentionPlan plan, int group, int partialTile, int finalTile)
    {
        long prefixes = 0, suffixes = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1];
            if (plan.PrefixLength[g] > 0)
            {
                prefixes += Tiles((plan.QueryStart[end] - plan.QueryStart[first]) * group, partialTile);
                continue;
            }

            for (int s = first; s < end; s++)
            {
                suffixes += Tiles((plan.QueryStart[s + 1] - plan.QueryStart[s]) * group, finalTile);
            }
        }

        return (prefixes, suffixes);
    }

    private static int Tiles(int rows, int tile) => (rows + tile - 1) / tile;

    // Tiles of rows that share keys stand side by side, so that their blocks run at the same time.
    private void AddPartial(int firstPage, int length, int token, int rows, int limit, int parts, int tile, int span)
    {
        for (int part = 0; part < parts; part++)
        {
            int end = parts == 1 ? length : Math.Min(length, (part + 1) * span);
            bool totals = end - (part * span) > span;
            PartialTotals |= totals;
            for (int row = 0; row < rows; row += tile)
            {
                Add(firstPage, length, part * span, end, token, row, rows, limit, part, totals ? TotalsFlag : 0, span);
            }
        }
    }

    private void Add(int firstPage, int length, int begin, int end, int token, int row, int rows, int limit, int slot, int flags, int span)
    {
        var item = _image.AsSpan(_items++ * ItemWords, ItemWords);
        (item[0], item[1], item[2], item[3]) = (firstPage, length, begin, end);
        (item[4], item[5], item[6], item[7]) = (token, row, rows, limit);
        (item[8], item[9], item[10], item[11]) = (slot, flags, span, 0);
    }

    private void Reserve(AttentionPlan plan, int headsPerKv, int tileRows)
    {
        int items = 0, span = Span(headsPerKv);
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

        int Count(int length, int tokens) => (1 + ((length + span - 1) / span)) * Tiles(tokens * headsPerKv, tileRows);
        static int Room(int needed, int now) => needed <= now ? now : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(needed, 64));
    }
}
