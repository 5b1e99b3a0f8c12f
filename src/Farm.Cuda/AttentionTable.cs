using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// A plan as the attention kernels read it: work items, sequences, page numbers, and for each token where its partial results lie (attention_common.cuh,
/// attention_group.cuh). Built on the host for every call and sent only when it differs from what the device holds, so once a step and not once a layer. Its
/// places on the device change only when it outgrows them.
/// <para>
/// Items come in three lots, as <see cref="AttentionCut"/> says: those that take rows of a prompt's samples through everything they see; those that leave
/// partial results; those that fold them, walk through a suffix and write the output.
/// </para>
/// </summary>
internal sealed class AttentionTable(Func<long, CudaMemory> allocate) : IDisposable
{
    private const int FinalFlag = 1, TotalsFlag = 2;
    private const int ItemWords = 12, SequenceWords = 8;

    private CudaMemory? _memory;
    private int[] _image = [], _sent = [];
    private int _itemRoom, _sequenceRoom, _pageRoom, _tokenRoom, _items, _sequences;

    /// <summary>Items that take rows through a prompt and their own keys; they come first.</summary>
    internal int GroupItems { get; private set; }

    /// <summary>Items that leave partial results; they come next.</summary>
    internal int PartialItems { get; private set; }

    /// <summary>Items that fold partial results, if any, and write the output.</summary>
    internal int FinalItems { get; private set; }

    /// <summary>Partial results over all tokens and query heads.</summary>
    internal long Partials { get; private set; }

    /// <summary>Whether an item that leaves partial results walks through more than one span.</summary>
    internal bool PartialTotals { get; private set; }

    /// <summary>Whether an item that writes the output folds more than one result.</summary>
    internal bool FinalTotals { get; private set; }

    /// <summary>The items on the device.</summary>
    internal nint ItemAddress => _memory!.Address;

    /// <summary>The first of them that leaves partial results.</summary>
    internal nint PartialAddress => ItemAddress + (nint)((long)GroupItems * ItemWords * sizeof(int));

    /// <summary>The first of them that folds partial results.</summary>
    internal nint FinalAddress => PartialAddress + (nint)((long)PartialItems * ItemWords * sizeof(int));

    /// <summary>The sequences on the device.</summary>
    internal nint SequenceAddress => ItemAddress + (nint)((long)SequencePlace * sizeof(int));

    /// <summary>The page numbers on the device.</summary>
    internal nint PageAddress => ItemAddress + (nint)((long)PagePlace * sizeof(int));

    /// <summary>The tokens' places on the device.</summary>
    internal nint SlotAddress => ItemAddress + (nint)((long)SlotPlace * sizeof(int));

    private int SequencePlace => _itemRoom * ItemWords;

    private int PagePlace => SequencePlace + (_sequenceRoom * SequenceWords);

    private int SlotPlace => PagePlace + _pageRoom;

    /// <summary>Builds the table; returns what is to be sent, empty if the device holds it already.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="cut">How it is cut.</param>
    /// <param name="kvHeads">Key/value heads.</param>
    /// <param name="partialTile">Rows of a block that leaves partial results.</param>
    /// <param name="finalTile">Rows of a block that folds them.</param>
    /// <param name="multiprocessors">Multiprocessors to keep busy.</param>
    internal ReadOnlySpan<int> Build(AttentionPlan plan, AttentionCut cut, int kvHeads, int partialTile, int finalTile, int multiprocessors)
    {
        Reserve(plan, cut, Math.Min(Math.Min(partialTile, finalTile), AttentionCut.WarpRows * Math.Max(cut.GroupWarps, 1)));
        _items = _sequences = 0;
        Partials = 0;
        PartialTotals = FinalTotals = false;
        int prefixPages = plan.PrefixPageStart[plan.Groups], suffixPages = plan.SuffixPageStart[plan.Sequences];
        plan.PrefixPages.AsSpan(0, prefixPages).CopyTo(_image.AsSpan(PagePlace));
        plan.SuffixPages.AsSpan(0, suffixPages).CopyTo(_image.AsSpan(PagePlace + prefixPages));
        for (int g = 0; g < plan.Groups; g++)
        {
            if (IsWhole(plan, cut, g))
            {
                AddWhole(plan, cut, g, prefixPages);
            }
        }

        GroupItems = _items;
        bool splitOwn = OwnBlocks(plan, cut.HeadsPerKv, finalTile) * kvHeads < 2 * multiprocessors;
        for (int g = 0; g < plan.Groups; g++)
        {
            if (!IsWhole(plan, cut, g))
            {
                AddPartials(plan, cut, g, prefixPages, kvHeads, partialTile, splitOwn);
            }
        }

        PartialItems = _items - GroupItems;
        for (int g = 0; g < plan.Groups; g++)
        {
            if (!IsWhole(plan, cut, g))
            {
                AddFinals(plan, cut, g, prefixPages, finalTile);
            }
        }

        FinalItems = _items - GroupItems - PartialItems;
        var used = _image.AsSpan(0, SlotPlace + (2 * plan.QueryRows));
        if (used.SequenceEqual(_sent.AsSpan(0, used.Length)))
        {
            return [];
        }

        used.CopyTo(_sent);
        return used;
    }

    public void Dispose() => _memory?.Dispose();

    private static bool IsWhole(AttentionPlan plan, AttentionCut cut, int g) => cut.Whole(plan.PrefixLength[g], AttentionCut.Rows(plan, g, cut.HeadsPerKv));

    private static int Tiles(int rows, int tile) => (rows + tile - 1) / tile;

    // Blocks, for each key/value head, of the sequences without a prompt, each walked whole.
    private static long OwnBlocks(AttentionPlan plan, int headsPerKv, int tile)
    {
        long blocks = 0;
        for (int g = 0; g < plan.Groups; g++)
        {
            for (int s = plan.SequenceStart[g]; plan.PrefixLength[g] == 0 && s < plan.SequenceStart[g + 1]; s++)
            {
                blocks += Tiles((plan.QueryStart[s + 1] - plan.QueryStart[s]) * headsPerKv, tile);
            }
        }

        return blocks;
    }

    // Tiles of rows that share keys stand side by side, so that their blocks run at the same time.
    private void AddWhole(AttentionPlan plan, AttentionCut cut, int g, int prefixPages)
    {
        int first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1], token = plan.QueryStart[first], rows = AttentionCut.Rows(plan, g, cut.HeadsPerKv), records = _sequences - first;
        for (int s = first; s < end; s++)
        {
            int begin = plan.QueryStart[s] - token, tokens = plan.QueryStart[s + 1] - plan.QueryStart[s], length = plan.SuffixLength[s];
            var sequence = _image.AsSpan(SequencePlace + (_sequences++ * SequenceWords), SequenceWords);
            (sequence[0], sequence[1]) = (prefixPages + plan.SuffixPageStart[s], length);
            (sequence[2], sequence[3]) = (begin * cut.HeadsPerKv, (begin + tokens) * cut.HeadsPerKv);
            // Row r sees the keys before this plus r over the heads of a key/value head.
            sequence[4] = length - tokens + 1 - begin;
            sequence[5..].Clear();
        }

        int tile = AttentionCut.WarpRows * cut.GroupWarps, from = first;
        for (int row = 0; row < rows; row += tile)
        {
            int last = token + ((Math.Min(row + tile, rows) - 1) / cut.HeadsPerKv);
            while (plan.QueryStart[from + 1] <= token + (row / cut.HeadsPerKv))
            {
                from++;
            }

            int to = from;
            while (to < end && plan.QueryStart[to] <= last)
            {
                to++;
            }

            var item = Next();
            (item[0], item[1], item[2], item[3]) = (plan.PrefixPageStart[g], plan.PrefixLength[g], records + from, records + to);
            (item[4], item[5], item[6], item[7]) = (token, row, rows, cut.Span);
            item[8..].Clear();
        }

        _image.AsSpan(SlotPlace + (2 * token), 2 * (plan.QueryStart[end] - token)).Clear();
    }

    private void AddPartials(AttentionPlan plan, AttentionCut cut, int g, int prefixPages, int kvHeads, int tile, bool splitOwn)
    {
        int heads = cut.HeadsPerKv, first = plan.SequenceStart[g], end = plan.SequenceStart[g + 1], prefix = plan.PrefixLength[g], slots = 0;
        if (prefix > 0)
        {
            int rows = AttentionCut.Rows(plan, g, heads);
            slots = cut.PromptParts(prefix, rows);
            AddPartial(plan.PrefixPageStart[g], prefix, plan.QueryStart[first], rows, prefix, slots, tile, cut.Span);
        }

        for (int s = first; s < end; s++)
        {
            int token = plan.QueryStart[s], tokens = plan.QueryStart[s + 1] - token, length = plan.SuffixLength[s], parts = slots;
            if (prefix == 0)
            {
                parts = cut.OwnParts(length, tokens, splitOwn);
                parts = parts > 1 ? parts : 0;
                AddPartial(prefixPages + plan.SuffixPageStart[s], length, token, tokens * heads, length - tokens + 1, parts, tile, cut.OwnSpan);
            }

            for (int t = token; t < token + tokens; t++)
            {
                _image[SlotPlace + (2 * t)] = checked((int)Partials);
                _image[SlotPlace + (2 * t) + 1] = parts;
                Partials += (long)heads * kvHeads * parts;
            }
        }
    }

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

    private void AddFinals(AttentionPlan plan, AttentionCut cut, int g, int prefixPages, int tile)
    {
        bool prefix = plan.PrefixLength[g] > 0;
        int span = prefix ? cut.Span : cut.OwnSpan;
        for (int s = plan.SequenceStart[g]; s < plan.SequenceStart[g + 1]; s++)
        {
            int token = plan.QueryStart[s], tokens = plan.QueryStart[s + 1] - token, length = plan.SuffixLength[s];
            int parts = tokens > 0 ? _image[SlotPlace + (2 * token) + 1] : 0;
            // A suffix whose spans left partial results has no key left to walk through.
            int begin = !prefix && parts > 0 ? length : 0;
            bool totals = parts > 0 || length > span;
            FinalTotals |= totals;
            for (int row = 0; row < tokens * cut.HeadsPerKv; row += tile)
            {
                Add(prefixPages + plan.SuffixPageStart[s], length, begin, length, token, row, tokens * cut.HeadsPerKv, length - tokens + 1, 0, FinalFlag | (totals ? TotalsFlag : 0), span);
            }
        }
    }

    private void Add(int firstPage, int length, int begin, int end, int token, int row, int rows, int limit, int slot, int flags, int span)
    {
        var item = Next();
        (item[0], item[1], item[2], item[3]) = (firstPage, length, begin, end);
        (item[4], item[5], item[6], item[7]) = (token, row, rows, limit);
        (item[8], item[9], item[10], item[11]) = (slot, flags, span, 0);
    }

    private Span<int> Next() => _image.AsSpan(_items++ * ItemWords, ItemWords);

    private void Reserve(AttentionPlan plan, AttentionCut cut, int tileRows)
    {
        int items = 0, span = Math.Min(cut.Span, cut.OwnSpan), heads = cut.HeadsPerKv;
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
        if (_memory is not null && items <= _itemRoom && plan.Sequences <= _sequenceRoom && pages <= _pageRoom && plan.QueryRows <= _tokenRoom)
        {
            return;
        }

        _itemRoom = Room(items, _itemRoom);
        _sequenceRoom = Room(plan.Sequences, _sequenceRoom);
        _pageRoom = Room(pages, _pageRoom);
        _tokenRoom = Room(plan.QueryRows, _tokenRoom);
        int words = SlotPlace + (2 * _tokenRoom);
        _memory?.Dispose();
        _memory = null;
        _memory = allocate((long)words * sizeof(int));
        _image = new int[words];
        _sent = new int[words];
        // Differs from any image, so that the first one is sent.
        Array.Fill(_sent, -1);

        int Count(int length, int tokens) => (1 + ((length + span - 1) / span)) * Tiles(tokens * heads, tileRows);
        static int Room(int needed, int now) => needed <= now ? now : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(needed, 64));
    }
}
