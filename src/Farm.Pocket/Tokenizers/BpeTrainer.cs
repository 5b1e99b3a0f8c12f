using System.Text;
using System.Text.RegularExpressions;
using Farm.Core;
using Farm.Models.Tokenizers.Json;

namespace Farm.Pocket.Tokenizers;

/// <summary>
/// Trains byte-level BPE: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword Units" (2016), over the bytes of
/// the words that GPT-2's pattern cuts (Radford et al. 2019). The pair that is most frequent is merged; among equals the one whose
/// tokens come first in ordinal order, so that the result depends on the texts alone and not on their order.
/// </summary>
public static partial class BpeTrainer
{
    /// <summary>Special tokens, whose ids are their places: padding, beginning and end of sequence.</summary>
    public static IReadOnlyList<string> SpecialTokens { get; } = ["[PAD]", "<s>", "</s>"];

    /// <summary>Trains a vocabulary.</summary>
    /// <param name="texts">The texts, without special tokens.</param>
    /// <param name="vocabularySize">The most entries, special tokens, frames and the 256 bytes included.</param>
    /// <param name="frames">Texts that are one token wherever they occur, e.g. the fixed parts of a prompt template; their ids follow the special tokens'.</param>
    /// <exception cref="BadInputException">The vocabulary cannot hold the special tokens and the bytes.</exception>
    public static BpeVocabulary Train(IEnumerable<string> texts, int vocabularySize, IReadOnlyList<string>? frames = null)
    {
        ArgumentNullException.ThrowIfNull(texts);
        List<string> tokens = [.. SpecialTokens, .. frames ?? [], .. Enumerable.Range(0, 256).Select(b => ByteLevelAlphabet.CharOf((byte)b).ToString())];
        if (vocabularySize < tokens.Count)
        {
            throw new BadInputException($"A byte-level vocabulary has at least {tokens.Count} entries, not {vocabularySize}.");
        }

        var words = Count(texts);
        var merges = new List<(string Left, string Right)>();
        var known = tokens.ToHashSet(StringComparer.Ordinal);
        while (tokens.Count < vocabularySize && MostFrequent(words) is var (left, right))
        {
            foreach (var word in words)
            {
                word.Merge(left, right);
            }

            merges.Add((left, right));

            // Two merges may make the same text in different ways; it is one entry.
            if (known.Add(left + right))
            {
                tokens.Add(left + right);
            }
        }

        return new BpeVocabulary(tokens, merges, frames?.Count ?? 0);
    }

    private static Word[] Count(IEnumerable<string> texts)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string text in texts)
        {
            foreach (ValueMatch match in WordPattern().EnumerateMatches(text))
            {
                string word = text.Substring(match.Index, match.Length);
                counts[word] = counts.GetValueOrDefault(word) + 1;
            }
        }

        return [.. counts.Select(c => new Word([.. Encoding.UTF8.GetBytes(c.Key).Select(b => ByteLevelAlphabet.CharOf(b).ToString())], c.Value))];
    }

    private static (string Left, string Right)? MostFrequent(Word[] words)
    {
        var counts = new Dictionary<(string Left, string Right), long>();
        foreach (var word in words)
        {
            for (int i = 0; i + 1 < word.Tokens.Count; i++)
            {
                var pair = (word.Tokens[i], word.Tokens[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + word.Count;
            }
        }

        (string Left, string Right)? best = null;
        long most = 1; // A pair that occurs once is not worth an entry.
        foreach (var (pair, count) in counts)
        {
            if (count > most || (count == most && best is { } b && Order(pair, b) < 0))
            {
                (best, most) = (pair, count);
            }
        }

        return best;
    }

    private static int Order((string Left, string Right) a, (string Left, string Right) b) =>
        string.CompareOrdinal(a.Left, b.Left) is not 0 and var order ? order : string.CompareOrdinal(a.Right, b.Right);

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex WordPattern();

    private sealed class Word(List<string> tokens, long count)
    {
        public List<string> Tokens { get; } = tokens;

        public long Count { get; } = count;

        public void Merge(string left, string right)
        {
            for (int i = 0; i + 1 < Tokens.Count; i++)
            {
                if (Tokens[i] == left && Tokens[i + 1] == right)
                {
                    Tokens[i] = left + right;
                    Tokens.RemoveAt(i + 1);
                }
            }
        }
    }
}
