using System.Text;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>Encodes as the SentencePiece library does, with nothing of Hugging Face on top.</summary>
internal sealed class SentencePieceProcessor
{
    private readonly SentencePieceNormalizer _normalizer;
    private readonly ISentencePieceAlgorithm _algorithm;

    public SentencePieceProcessor(SentencePieceModel model, string file)
    {
        Model = model;
        Vocabulary = new SentencePieceVocabulary(model, file);
        _normalizer = new SentencePieceNormalizer(model, file);
        _algorithm = model.ModelType == 1 ? new SentencePieceUnigram(Vocabulary) : new SentencePieceBpe(Vocabulary);
    }

    public SentencePieceModel Model { get; }

    public SentencePieceVocabulary Vocabulary { get; }

    /// <summary>Ids of a text without control tokens.</summary>
    public List<int> Encode(ReadOnlySpan<char> text, bool dummyPrefix)
    {
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            return EncodeUtf8(buffer.AsSpan(0, Encoding.UTF8.GetBytes(text, buffer)), dummyPrefix);
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Ids of UTF-8 bytes; each malformed byte counts as U+FFFD.</summary>
    public List<int> EncodeUtf8(ReadOnlySpan<byte> text, bool dummyPrefix)
    {
        var sink = new PieceSink(Model.UnknownId, Vocabulary.BytePieces);
        _algorithm.Encode(_normalizer.Normalize(text, dummyPrefix), sink);
        return sink.Ids;
    }
}
