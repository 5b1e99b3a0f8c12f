using Farm.Annotation.Journaling;

namespace Farm.Annotation.Annotating;

/// <summary>The pairs that a run has asked: each is asked once, and other rows of the same pair wait for its result. Safe to use from several threads.</summary>
internal sealed class PendingPairs
{
    private readonly Lock _lock = new();
    private readonly Dictionary<PairKey, Slot> _slots = [];

    /// <summary>Whether the row's pair was asked already. If so its result is given, or where there is none yet the row waits for it.</summary>
    public bool TryJoin(AskedPair asked, out AnnotatedPair? result)
    {
        result = null;
        lock (_lock)
        {
            if (!_slots.TryGetValue(asked.Key, out var slot))
            {
                return false;
            }

            result = slot.Result;
            if (result is null)
            {
                (slot.Waiting ??= []).Add(asked);
            }

            return true;
        }
    }

    /// <summary>Notes that a pair is asked.</summary>
    public void Begin(PairKey key)
    {
        lock (_lock)
        {
            _slots.Add(key, new Slot());
        }
    }

    /// <summary>Takes a pair's result.</summary>
    /// <param name="key">The pair.</param>
    /// <param name="result">Its result.</param>
    /// <param name="forget">True where later rows of the same pair find it elsewhere, so that nothing of it stays in memory.</param>
    /// <returns>The rows that waited for it.</returns>
    public IReadOnlyList<AskedPair> Finish(PairKey key, AnnotatedPair result, bool forget)
    {
        lock (_lock)
        {
            var slot = _slots[key];
            var waiting = slot.Waiting ?? [];
            slot.Waiting = null;
            if (forget)
            {
                _slots.Remove(key);
            }
            else
            {
                slot.Result = result;
            }

            return waiting;
        }
    }

    private sealed class Slot
    {
        public AnnotatedPair? Result { get; set; }

        public List<AskedPair>? Waiting { get; set; }
    }
}
