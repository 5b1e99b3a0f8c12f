using System.Text.Json;

namespace Farm.Models.Tokenizers.Json;

/// <summary>Reads vocabulary and merges of a BPE model.</summary>
internal static class BpeModelReader
{
    /// <summary>The key of two neighbours.</summary>
    public static long Pair(int left, int right) => ((long)left << 32) | (uint)right;

    public static Dictionary<string, int> ReadVocabulary(JsonField field, out string?[] tokens)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var maximum = -1;
        foreach (var (token, value) in field.Members())
        {
            var id = value.TokenId();
            vocabulary[token] = id;
            maximum = Math.Max(maximum, id);
        }

        tokens = new string?[maximum + 1];
        foreach (var (token, id) in vocabulary)
        {
            if (tokens[id] is { } other)
            {
                throw field.Error($"gives the id {id} to both '{other}' and '{token}'");
            }

            tokens[id] = token;
        }

        return tokens.Length > 0 ? vocabulary : throw field.Error("is empty");
    }

    /// <summary>Merges as (pair) to (rank, merged id); the later of two equal pairs counts, as in Hugging Face tokenizers.</summary>
    public static Dictionary<long, long> ReadMerges(JsonField field, Dictionary<string, int> vocabulary)
    {
        var merges = new Dictionary<long, long>();
        var rank = 0;
        foreach (var item in field.Items())
        {
            var (left, right) = ReadPair(item);
            merges[Pair(Id(left, item, vocabulary), Id(right, item, vocabulary))] = ((long)rank << 32) | (uint)Id(left + right, item, vocabulary);
            rank++;
        }

        return merges;
    }

    private static (string Left, string Right) ReadPair(JsonField item)
    {
        if (item.Element.ValueKind == JsonValueKind.Array)
        {
            var parts = item.Items().Select(p => p.String()).ToArray();
            return parts.Length == 2 ? (parts[0], parts[1]) : throw item.Error("must hold two tokens");
        }

        var text = item.String();
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space == text.LastIndexOf(' ') && space < text.Length - 1
            ? (text[..space], text[(space + 1)..])
            : throw item.Error("must be two tokens with one space between");
    }

    private static int Id(string token, JsonField item, Dictionary<string, int> vocabulary) =>
        vocabulary.TryGetValue(token, out var id) ? id : throw item.Error($"needs the token '{token}', which is not in the vocabulary");
}
