using System.Text;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>
/// SentencePiece's unigram model: the segmentation of greatest total score, by dynamic programming from left to right. Sums are
/// kept in single precision and compared as SentencePiece's optimised encoder does, so that ties fall the same way.
/// </summary>
internal sealed class SentencePieceUnigram : ISentencePieceAlgorithm
{
    private const float UnknownPenalty = 10f;
    private readonly SentencePieceVocabulary _vocabulary;
    private readonly CharTrie _trie = new();
    private readonly float _unknownScore;
    private readonly float _maximumScore;

    public SentencePieceUnigram(SentencePieceVocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        foreach (var (text, id) in vocabulary.TextPieces)
        {
            _trie.Add(text, id);
        }

        var scores = vocabulary.Model.Pieces.Where(p => p.Type == PieceType.Normal).Select(p => p.Score).DefaultIfEmpty(0f).ToList();
        _unknownScore = scores.Min() - UnknownPenalty;

        // SentencePiece starts its search for the maximum at the smallest positive float (FLT_MIN), which log-probabilities never exceed.
        _maximumScore = Math.Max(scores.Max(), 1.17549435e-38f);
    }

    public void Encode(ReadOnlySpan<char> normalized, PieceSink sink)
    {
        var best = new Node[normalized.Length + 1];
        Array.Fill(best, new Node(-1, -1, 0f));
        for (var start = 0; start < normalized.Length;)
        {
            var character = char.IsHighSurrogate(normalized[start]) && start + 1 < normalized.Length ? 2 : 1;
            var covered = false;
            var node = 0;
            for (var end = start; end < normalized.Length && _trie.TryStep(ref node, normalized[end], out var id);)
            {
                end++;
                if (id < 0 || _vocabulary.Model.Pieces[id].Type == PieceType.Unused)
                {
                    continue;
                }

                // Byte lengths, because the bonus of user-defined symbols is counted in bytes.
                var score = _vocabulary.Model.Pieces[id].Type == PieceType.UserDefined
                    ? (Encoding.UTF8.GetByteCount(normalized[start..end]) * _maximumScore) - 0.1
                    : _vocabulary.Model.Pieces[id].Score;
                var candidate = score + best[start].Score;
                if (best[end].Start < 0 || candidate > best[end].Score)
                {
                    best[end] = new Node(start, id, (float)candidate);
                }

                covered |= end - start == character;
            }

            if (!covered)
            {
                var candidate = _unknownScore + best[start].Score;
                ref var target = ref best[start + character];
                if (target.Start < 0 || candidate > target.Score)
                {
                    target = new Node(start, _vocabulary.Model.UnknownId, candidate);
                }
            }

            start += character;
        }

        Emit(normalized, best, sink);
    }

    private static void Emit(ReadOnlySpan<char> text, Node[] best, PieceSink sink)
    {
        var path = new List<int>();
        for (var end = text.Length; end > 0; end = best[end].Start)
        {
            path.Add(end);
        }

        for (var i = path.Count - 1; i >= 0; i--)
        {
            var node = best[path[i]];
            sink.Add(text[node.Start..path[i]], node.Id);
        }
    }

    private readonly record struct Node(int Start, int Id, float Score);

    private sealed class CharTrie
    {
        private readonly Dictionary<long, int> _next = [];
        private readonly List<int> _ids = [-1];

        public void Add(string key, int id)
        {
            var node = 0;
            foreach (var c in key)
            {
                var edge = ((long)node << 16) | c;
                if (!_next.TryGetValue(edge, out var child))
                {
                    child = _ids.Count;
                    _ids.Add(-1);
                    _next.Add(edge, child);
                }

                node = child;
            }

            _ids[node] = id;
        }

        public bool TryStep(ref int node, char c, out int id)
        {
            var found = _next.TryGetValue(((long)node << 16) | c, out node);
            id = found ? _ids[node] : -1;
            return found;
        }
    }
}
