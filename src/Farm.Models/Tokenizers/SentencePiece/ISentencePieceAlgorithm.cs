namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>Cuts normalised text into pieces.</summary>
internal interface ISentencePieceAlgorithm
{
    /// <summary>
    /// Appends one id for each piece of the text; an unknown piece goes to <paramref name="sink"/> with its text.
    /// </summary>
    void Encode(ReadOnlySpan<char> normalized, PieceSink sink);
}

/// <summary>Collects ids: unknown pieces become byte pieces with byte fallback, else one unknown id for each run of them.</summary>
internal sealed class PieceSink(int unknownId, int[]? bytePieces)
{
    /// <summary>The ids so far.</summary>
    public List<int> Ids { get; } = [];

    public void Add(ReadOnlySpan<char> text, int id)
    {
        if (id != unknownId)
        {
            Ids.Add(id);
        }
        else if (bytePieces is null)
        {
            AddUnknown();
        }
        else
        {
            Span<byte> utf8 = stackalloc byte[4];
            foreach (var rune in text.EnumerateRunes())
            {
                foreach (var b in utf8[..rune.EncodeToUtf8(utf8)])
                {
                    Ids.Add(bytePieces[b]);
                }
            }
        }
    }

    /// <summary>Adds ids that another sink with the same rules collected.</summary>
    public void AddRange(ReadOnlySpan<int> ids)
    {
        if (bytePieces is null && ids.Length > 0 && ids[0] == unknownId && Ids.Count > 0 && Ids[^1] == unknownId)
        {
            ids = ids[1..];
        }

        Ids.AddRange(ids);
    }

    private void AddUnknown()
    {
        if (Ids.Count == 0 || Ids[^1] != unknownId)
        {
            Ids.Add(unknownId);
        }
    }
}
