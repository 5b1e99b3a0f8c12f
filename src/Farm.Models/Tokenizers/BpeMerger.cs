namespace Farm.Models.Tokenizers;

/// <summary>One symbol of the sequence that byte pair encoding merges; a doubly linked list by index.</summary>
internal struct BpeSymbol
{
    /// <summary>Where the symbol starts in the text, if its rules look at text.</summary>
    public int Start;

    /// <summary>Extent in units of the initial symbols' lengths; 0 once merged away.</summary>
    public int Length;

    /// <summary>Vocabulary id, -1 if unknown.</summary>
    public int Id;

    public int Previous;
    public int Next;

    /// <summary>Never merges.</summary>
    public bool Frozen;
}

/// <summary>Which neighbours merge, and how soon.</summary>
internal interface IMergeRules
{
    /// <summary>True if the neighbours merge; a smaller <paramref name="priority"/> goes first, the leftmost among equals.</summary>
    bool TryFind(in BpeSymbol left, in BpeSymbol right, out uint priority, out int id);
}

/// <summary>
/// Byte pair encoding in O(n log n): a binary heap of candidate pairs ordered by (priority, position), stale pairs dropped when
/// they surface. One instance is reused by each thread.
/// </summary>
internal sealed class BpeMerger
{
    [ThreadStatic]
    private static BpeMerger? t_instance;

    private BpeSymbol[] _symbols = new BpeSymbol[64];
    private Candidate[] _heap = new Candidate[64];
    private int _candidates;

    public int Count { get; private set; }

    public ReadOnlySpan<BpeSymbol> Symbols => _symbols.AsSpan(0, Count);

    /// <summary>This thread's merger, empty.</summary>
    public static BpeMerger Rent()
    {
        var merger = t_instance ??= new BpeMerger();
        merger.Count = 0;
        merger._candidates = 0;
        return merger;
    }

    public void Add(int start, int length, int id, bool frozen = false)
    {
        if (Count == _symbols.Length)
        {
            Array.Resize(ref _symbols, Count * 2);
        }

        _symbols[Count] = new BpeSymbol { Start = start, Length = length, Id = id, Previous = Count - 1, Next = -1, Frozen = frozen };
        if (Count > 0)
        {
            _symbols[Count - 1].Next = Count;
        }

        Count++;
    }

    /// <summary>Widens the last symbol, for runs of unknown characters that count as one.</summary>
    public void ExtendLast(int length) => _symbols[Count - 1].Length += length;

    /// <summary>Merges until no rule applies. What is left is the chain from symbol 0 along <see cref="BpeSymbol.Next"/>.</summary>
    public void Merge<TRules>(ref TRules rules)
        where TRules : struct, IMergeRules, allows ref struct
    {
        for (var i = 1; i < Count; i++)
        {
            Consider(i - 1, i, ref rules);
        }

        while (_candidates > 0)
        {
            var top = Pop();
            var leftIndex = (int)(uint)top.Key;
            ref var left = ref _symbols[leftIndex];
            ref var right = ref _symbols[top.Right];

            // Lengths only grow, so an equal sum of two living symbols means that neither has changed since.
            if (left.Length == 0 || right.Length == 0 || left.Length + right.Length != top.Length)
            {
                continue;
            }

            left.Length = top.Length;
            left.Id = top.Id;
            left.Next = right.Next;
            right.Length = 0;
            if (left.Next >= 0)
            {
                _symbols[left.Next].Previous = leftIndex;
                Consider(leftIndex, left.Next, ref rules);
            }

            if (left.Previous >= 0)
            {
                Consider(left.Previous, leftIndex, ref rules);
            }
        }
    }

    private void Consider<TRules>(int leftIndex, int rightIndex, ref TRules rules)
        where TRules : struct, IMergeRules, allows ref struct
    {
        ref readonly var left = ref _symbols[leftIndex];
        ref readonly var right = ref _symbols[rightIndex];
        if (!left.Frozen && !right.Frozen && rules.TryFind(left, right, out var priority, out var id))
        {
            Push(new Candidate(((ulong)priority << 32) | (uint)leftIndex, rightIndex, left.Length + right.Length, id));
        }
    }

    private void Push(in Candidate candidate)
    {
        if (_candidates == _heap.Length)
        {
            Array.Resize(ref _heap, _candidates * 2);
        }

        var at = _candidates++;
        while (at > 0)
        {
            var parent = (at - 1) >> 1;
            if (_heap[parent].Key <= candidate.Key)
            {
                break;
            }

            _heap[at] = _heap[parent];
            at = parent;
        }

        _heap[at] = candidate;
    }

    private Candidate Pop()
    {
        var top = _heap[0];
        var last = _heap[--_candidates];
        var at = 0;
        while (true)
        {
            var child = (2 * at) + 1;
            if (child >= _candidates)
            {
                break;
            }

            if (child + 1 < _candidates && _heap[child + 1].Key < _heap[child].Key)
            {
                child++;
            }

            if (_heap[child].Key >= last.Key)
            {
                break;
            }

            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = last;
        return top;
    }

    private readonly record struct Candidate(ulong Key, int Right, int Length, int Id);
}
