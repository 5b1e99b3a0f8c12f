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
    private readonly Dictionary<string, int> _ranks = new(StringComparer.Ordinal);

    private TiktokenVocabulary()
    {
    }

    /// <summary>Which vocabulary it is, by its size: the pieces within which tokens are merged differ.</summary>
    private TokenEncoding Encoding => _ranks.Count switch
    {
        < 60_000 => TokenEncoding.P50kBase,
        < 150_000 => TokenEncoding.Cl100kBase,
        _ => TokenEncoding.O200kBase,
    };

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
        var pieces = Encoding switch
        {
            TokenEncoding.P50kBase => Gpt2Piece(),
            TokenEncoding.Cl100kBase => Cl100kPiece(),
            _ => O200kPiece(),
        };
        return [.. pieces.Matches(text).SelectMany(m => Merge(System.Text.Encoding.UTF8.GetBytes(m.Value)))];
    }

    /// <summary>The bias of a judge by this vocabulary.</summary>
    public IReadOnlyDictionary<string, int> Bias(JudgeConfig config) => LogitBias.Of(config, Encode);

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
    private static string Key(ReadOnlySpan<byte> bytes) => System.Text.Encoding.Latin1.GetString(bytes);

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2Piece();

    [GeneratedRegex(@"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Cl100kPiece();

    [GeneratedRegex(
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        RegexOptions.CultureInvariant)]
    private static partial Regex O200kPiece();
}
