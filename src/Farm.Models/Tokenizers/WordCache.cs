namespace Farm.Models.Tokenizers;

/// <summary>
/// Remembers the ids of recent words. Direct-mapped: a new word replaces the one in its slot, so memory stays bounded and no
/// lock is needed (entries are immutable, reference writes are atomic).
/// </summary>
internal sealed class WordCache
{
    private const int Slots = 1 << 15;

    /// <summary>Longer words seldom come again.</summary>
    public const int MaximumLength = 64;

    private readonly Entry?[] _entries = new Entry?[Slots];

    public bool TryGet(ReadOnlySpan<char> word, out int[] ids)
    {
        var entry = Volatile.Read(ref _entries[Slot(word)]);
        if (entry is not null && word.SequenceEqual(entry.Word))
        {
            ids = entry.Ids;
            return true;
        }

        ids = [];
        return false;
    }

    public void Set(ReadOnlySpan<char> word, ReadOnlySpan<int> ids) =>
        Volatile.Write(ref _entries[Slot(word)], new Entry(word.ToString(), ids.ToArray()));

    // FNV-1a over UTF-16 units with a final mix: string.GetHashCode costs more than the comparison saves on short words.
    private static int Slot(ReadOnlySpan<char> word)
    {
        var hash = 2166136261u;
        foreach (var c in word)
        {
            hash = (hash ^ c) * 16777619u;
        }

        hash ^= hash >> 15;
        return (int)(hash & (Slots - 1));
    }

    private sealed record Entry(string Word, int[] Ids);
}
