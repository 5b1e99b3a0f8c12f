using System.Text;

namespace Farm.Models.Tokenizers;

/// <summary>What all token streams share.</summary>
internal static class TokenStreams
{
    /// <summary>The whole text of the ids, by way of a stream: so decoding and streaming cannot differ.</summary>
    public static string DecodeAll(ITokenStream stream, ReadOnlySpan<int> ids)
    {
        var text = new StringBuilder();
        foreach (var id in ids)
        {
            text.Append(stream.Append(id));
        }

        return text.Append(stream.Flush()).ToString();
    }
}
