using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>
/// The BPE model of a tokenizer.json: merges by rank, the leftmost among equals; unknown characters fall back to byte tokens or to the
/// unknown token. Words that recur are remembered.
/// </summary>
internal sealed class BpeModel
{
    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly Dictionary<long, long> _merges;
    private readonly int[]? _byteTokens;
    private readonly int[]? _byteLevel;
    private readonly int? _unknown;
    private readonly bool _fuseUnknown;
    private readonly bool _ignoreMerges;
    private readonly bool _wordsAreIndependent;
    private readonly WordCache _cache = new();

    /// <summary>Reads the <c>model</c> object; <paramref name="byteLevel"/> says that words are to be taken as bytes.</summary>
    public BpeModel(JsonField field, bool byteLevel)
    {
        var type = field["type"].StringOrNull() ?? "BPE";
        if (type != "BPE")
        {
            throw field["type"].Error($"is '{type}', a model that is not supported");
        }

        RefuseOptions(field);
        _vocabulary = BpeModelReader.ReadVocabulary(field["vocab"], out var tokens);
        Tokens = tokens;
        _lookup = _vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        _merges = BpeModelReader.ReadMerges(field["merges"], _vocabulary);
        _fuseUnknown = field["fuse_unk"].BoolOrNull() ?? false;
        _ignoreMerges = field["ignore_merges"].BoolOrNull() ?? false;
        if (field["unk_token"].StringOrNull() is { } unknown)
        {
            // Only texts that need the token would fail without it: files name tokens that are added later.
            _unknown = _vocabulary.TryGetValue(unknown, out var id) ? id : null;
        }

        if (field["byte_fallback"].BoolOrNull() ?? false)
        {
            _byteTokens = [.. Enumerable.Range(0, 256).Select(b => _vocabulary.GetValueOrDefault($"<0x{b:X2}>", -1))];
        }

        if (byteLevel)
        {
            _byteLevel = [.. Enumerable.Range(0, 256).Select(b => _vocabulary.GetValueOrDefault(ByteLevelAlphabet.CharOf((byte)b).ToString(), -1))];
        }

        _wordsAreIndependent = !byteLevel && !_ignoreMerges && _vocabulary.ContainsKey("\u2581") && !tokens.Any(t => t is not null && Boundary(t) < t.Length);
    }

    /// <summary>Token texts by id, null where the vocabulary has a hole.</summary>
    public string?[] Tokens { get; }

    public int? IdOf(string token) => _vocabulary.TryGetValue(token, out var id) ? id : null;

    /// <summary>Appends the ids of one pre-tokenized word.</summary>
    public void Encode(ReadOnlySpan<char> word, List<int> ids)
    {
        // Without a pre-tokenizer a "word" is the whole text; where no token continues past U+2581 it falls into words nevertheless.
        // U+2581 itself is a token then, so no run of unknown characters that would fuse is cut.
        while (_wordsAreIndependent && Boundary(word) is var length && length < word.Length)
        {
            EncodeCached(word[..length], ids);
            word = word[length..];
        }

        EncodeCached(word, ids);
    }

    private void EncodeCached(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > WordCache.MaximumLength)
        {
            EncodeWord(word, ids);
        }
        else if (_cache.TryGet(word, out var cached))
        {
            ids.AddRange(cached);
        }
        else
        {
            var start = ids.Count;
            EncodeWord(word, ids);
            _cache.Set(word, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids)[start..]);
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (_ignoreMerges && TryWhole(word, out var whole))
        {
            ids.Add(whole);
            return;
        }

        var merger = BpeMerger.Rent();
        if (_byteLevel is not null)
        {
            AddBytes(word, merger);
        }
        else
        {
            AddCharacters(word, merger);
        }

        if (merger.Count == 0)
        {
            return;
        }

        var rules = new Rules(_merges);
        merger.Merge(ref rules);
        for (var i = 0; i >= 0; i = merger.Symbols[i].Next)
        {
            ids.Add(merger.Symbols[i].Id);
        }
    }

    private bool TryWhole(ReadOnlySpan<char> word, out int id)
    {
        if (_byteLevel is null)
        {
            return _lookup.TryGetValue(word, out id);
        }

        Span<char> buffer = stackalloc char[512];
        Span<byte> utf8 = stackalloc byte[512];
        id = -1;
        if (word.Length > utf8.Length / 3)
        {
            return _lookup.TryGetValue(string.Concat(Encoding.UTF8.GetBytes(word.ToString()).Select(b => ByteLevelAlphabet.CharOf(b))), out id);
        }

        var count = Encoding.UTF8.GetBytes(word, utf8);
        for (var i = 0; i < count; i++)
        {
            buffer[i] = ByteLevelAlphabet.CharOf(utf8[i]);
        }

        return _lookup.TryGetValue(buffer[..count], out id);
    }

    private void AddBytes(ReadOnlySpan<char> word, BpeMerger merger)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var afterUnknown = false;
        foreach (var rune in word.EnumerateRunes())
        {
            foreach (var b in utf8[..rune.EncodeToUtf8(utf8)])
            {
                AddSymbol(_byteLevel![b], merger, ref afterUnknown);
            }
        }
    }

    private void AddCharacters(ReadOnlySpan<char> word, BpeMerger merger)
    {
        Span<byte> utf8 = stackalloc byte[4];
        var afterUnknown = false;
        for (var at = 0; at < word.Length;)
        {
            var length = char.IsHighSurrogate(word[at]) && at + 1 < word.Length ? 2 : 1;
            var character = word.Slice(at, length);
            at += length;
            if (_lookup.TryGetValue(character, out var id))
            {
                AddSymbol(id, merger, ref afterUnknown);
                continue;
            }

            var bytes = utf8[..Encoding.UTF8.GetBytes(character, utf8)];
            if (_byteTokens is null || Missing(bytes))
            {
                AddSymbol(-1, merger, ref afterUnknown);
                continue;
            }

            foreach (var b in bytes)
            {
                AddSymbol(_byteTokens[b], merger, ref afterUnknown);
            }
        }
    }

    private bool Missing(ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            if (_byteTokens![b] < 0)
            {
                return true;
            }
        }

        return false;
    }

    // A negative id is an unknown character, dropped if the model names no unknown token.
    private void AddSymbol(int id, BpeMerger merger, ref bool afterUnknown)
    {
        if (id >= 0)
        {
            merger.Add(merger.Count, 1, id);
            afterUnknown = false;
        }
        else if (_unknown is { } unknown)
        {
            if (afterUnknown && _fuseUnknown)
            {
                merger.ExtendLast(1);
            }
            else
            {
                merger.Add(merger.Count, 1, unknown);
            }

            afterUnknown = true;
        }
    }

    // Where the first word ends: before a U+2581 that another character precedes.
    private static int Boundary(ReadOnlySpan<char> text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '\u2581' && text[i - 1] != '\u2581')
            {
                return i;
            }
        }

        return text.Length;
    }

    private static void RefuseOptions(JsonField field)
    {
        foreach (var name in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (field[name].StringOrNull() is { Length: > 0 })
            {
                throw field[name].Error("is set, which is not supported");
            }
        }

        var dropout = field["dropout"];
        if (!dropout.IsNull && !(dropout.Element.ValueKind == System.Text.Json.JsonValueKind.Number && dropout.Element.GetDouble() == 0))
        {
            throw dropout.Error("is set, which is for training only");
        }
    }

    private readonly struct Rules(Dictionary<long, long> merges) : IMergeRules
    {
        public bool TryFind(in BpeSymbol left, in BpeSymbol right, out uint priority, out int id)
        {
            var found = merges.TryGetValue(BpeModelReader.Pair(left.Id, right.Id), out var merge);
            priority = (uint)(merge >> 32);
            id = (int)(uint)merge;
            return found;
        }
    }
}
