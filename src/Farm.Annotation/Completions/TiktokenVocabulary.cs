using System.Text;
using System.Text.RegularExpressions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>
/// A byte-pair vocabulary in tiktoken's file form, lines of a token in base64 and its rank. It turns the words that a judge favours or avoids
/// into token ids.
/// </summary>
public sealed partial class TiktokenVocabulary
{
    private const int Avoid = -100, Favor = 7;
    private readonly Dictionary<string, int> _ranks = new(StringComparer.Ordinal);

    private TiktokenVocabulary()
    {
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadInputException">A line is no token and rank.</exception>
    public static TiktokenVocabulary Read(string path)
    {
        var vocabulary = new TiktokenVocabulary();
        int line = 0;
        foreach (string text in RowFile.ReadText(path).Split('\n'))
        {
            line++;
            string[] parts = text.TrimEnd('\r').Split(' ');
            if (parts is [""])
            {
                continue;
            }

            byte[] bytes = new byte[(parts[0].Length * 3 / 4) + 3];
            if (parts.Length != 2 || !Convert.TryFromBase64String(parts[0], bytes, out int count) || !int.TryParse(parts[1], out int rank))
            {
                throw new BadInputException($"{path}, line {line}: must be a token in base64 and its rank.");
            }

            vocabulary._ranks[Key(bytes.AsSpan(0, count))] = rank;
        }

        return vocabulary._ranks.Count > 0 ? vocabulary : throw new BadInputException($"{path} has no tokens.");
    }

    /// <summary>The token ids of a text.</summary>
    public IReadOnlyList<int> Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return [.. Piece().Matches(text).SelectMany(m => Merge(Encoding.UTF8.GetBytes(m.Value)))];
    }

    /// <summary>The bias of a judge: words to avoid get -100 where they are one token, every token of words to favour gets 7.</summary>
    public IReadOnlyDictionary<string, int> Bias(JudgeConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var keys = new KeyReader($"annotator '{config.Name}', completions_kwargs", config.CompletionsKwargs);
        bool skipLong = keys.Boolean("is_skip_multi_tokens_to_avoid", true);
        var bias = new OrderedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, value) in keys.Map("logit_bias"))
        {
            bias[JudgeConfigReader.Text(token)] = Convert.ToInt32(value, System.Globalization.CultureInfo.InvariantCulture);
        }

        foreach (var tokens in keys.Texts("tokens_to_avoid", []).Select(Encode).Where(t => t.Count == 1 || !skipLong))
        {
            Set(tokens, Avoid);
        }

        foreach (string word in keys.Texts("tokens_to_favor", []))
        {
            Set(Encode(word), Favor);
        }

        return bias;

        void Set(IReadOnlyList<int> tokens, int value)
        {
            foreach (int token in tokens)
            {
                bias[token.ToString(System.Globalization.CultureInfo.InvariantCulture)] = value;
            }
        }
    }

    /// <summary>Merges neighbours, the pair of the least rank first, until no pair is a token.</summary>
    private List<int> Merge(byte[] bytes)
    {
        var parts = bytes.Select(b => Key([b])).ToList();
        while (parts.Count > 1)
        {
            (int best, int at) = (int.MaxValue, -1);
            for (int i = 0; i + 1 < parts.Count; i++)
            {
                if (_ranks.TryGetValue(parts[i] + parts[i + 1], out int rank) && rank < best)
                {
                    (best, at) = (rank, i);
                }
            }

            if (at < 0)
            {
                break;
            }

            parts[at] += parts[at + 1];
            parts.RemoveAt(at + 1);
        }

        return [.. parts.Select(p => _ranks.TryGetValue(p, out int rank) ? rank : throw new BadInputException("The vocabulary lacks tokens of single bytes: it is no complete .tiktoken file."))];
    }

    /// <summary>Bytes as a text of characters up to U+00FF, so that they can be keys.</summary>
    private static string Key(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    // The pieces within which cl100k_base merges.
    [GeneratedRegex(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Piece();
}
