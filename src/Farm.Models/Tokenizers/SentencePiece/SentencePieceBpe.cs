namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>
/// SentencePiece's byte pair encoding: neighbours whose joined text is a piece merge, the highest score first, the leftmost among
/// equals; pieces marked unused are taken apart again at the end.
/// </summary>
/// <remarks>
/// When no piece continues past the start of a word (U+2581 after another character), words cannot influence each other: each
/// is then encoded on its own and remembered.
/// </remarks>
internal sealed class SentencePieceBpe : ISentencePieceAlgorithm
{
    private const char Space = '\u2581';
    private readonly SentencePieceVocabulary _vocabulary;
    private readonly uint[] _priorities;
    private readonly bool _hasUnused;
    private readonly bool _wordsAreIndependent;
    private readonly WordCache _cache = new();

    public SentencePieceBpe(SentencePieceVocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        _priorities = [.. vocabulary.Model.Pieces.Select(p => Priority(p.Score))];
        _hasUnused = vocabulary.Model.Pieces.Any(p => p.Type == PieceType.Unused);
        _wordsAreIndependent = !vocabulary.TextPieces.Keys.Any(CrossesWords);
    }

    public void Encode(ReadOnlySpan<char> normalized, PieceSink sink)
    {
        while (!normalized.IsEmpty)
        {
            var length = _wordsAreIndependent ? WordLength(normalized) : normalized.Length;
            var word = normalized[..length];
            normalized = normalized[length..];
            if (length > WordCache.MaximumLength)
            {
                EncodeWord(word, sink);
            }
            else if (_cache.TryGet(word, out var ids))
            {
                sink.AddRange(ids);
            }
            else
            {
                var own = new PieceSink(_vocabulary.Model.UnknownId, _vocabulary.BytePieces);
                EncodeWord(word, own);
                var found = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(own.Ids);
                _cache.Set(word, found);
                sink.AddRange(found);
            }
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, PieceSink sink)
    {
        var merger = BpeMerger.Rent();
        for (var at = 0; at < word.Length;)
        {
            var length = _vocabulary.FirstSymbol(word[at..], out var isUserDefined);
            merger.Add(at, length, -1, isUserDefined);
            at += length;
        }

        var rules = new Rules(this, word, _hasUnused ? new Dictionary<string, int>(StringComparer.Ordinal) : null);
        merger.Merge(ref rules);
        for (var i = 0; i >= 0; i = merger.Symbols[i].Next)
        {
            var symbol = merger.Symbols[i];
            Emit(word.Slice(symbol.Start, symbol.Length), rules.Splits, sink);
        }
    }

    private void Emit(ReadOnlySpan<char> text, Dictionary<string, int>? splits, PieceSink sink)
    {
        var id = _vocabulary.Find(text);
        if (id >= 0 && splits is not null && _vocabulary.Model.Pieces[id].Type == PieceType.Unused && splits.TryGetValue(text.ToString(), out var left))
        {
            Emit(text[..left], splits, sink);
            Emit(text[left..], splits, sink);
            return;
        }

        sink.Add(text, id >= 0 ? id : _vocabulary.Model.UnknownId);
    }

    private static int WordLength(ReadOnlySpan<char> text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == Space && text[i - 1] != Space)
            {
                return i;
            }
        }

        return text.Length;
    }

    private static bool CrossesWords(string piece) => WordLength(piece) < piece.Length;

    // Maps scores to unsigned integers in the opposite order, so that the highest score has the smallest priority number.
    private static uint Priority(float score)
    {
        var bits = BitConverter.SingleToUInt32Bits(score == 0 ? 0f : score);
        return ~((bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u);
    }

    private readonly ref struct Rules(SentencePieceBpe owner, ReadOnlySpan<char> text, Dictionary<string, int>? splits) : IMergeRules
    {
        private readonly ReadOnlySpan<char> _text = text;

        /// <summary>For each unused piece that came up, the length of its left half.</summary>
        public Dictionary<string, int>? Splits { get; } = splits;

        public bool TryFind(in BpeSymbol left, in BpeSymbol right, out uint priority, out int id)
        {
            var joined = _text.Slice(left.Start, left.Length + right.Length);
            if (!owner._vocabulary.TryGetTextPiece(joined, out id))
            {
                priority = 0;
                return false;
            }

            priority = owner._priorities[id];
            if (Splits is not null && owner._vocabulary.Model.Pieces[id].Type == PieceType.Unused)
            {
                Splits[joined.ToString()] = left.Length;
            }

            return true;
        }
    }
}
