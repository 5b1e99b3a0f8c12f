namespace Farm.Models.Tokenizers;

/// <summary>Text to token ids and back. Implementations are immutable and safe to use from several threads.</summary>
public interface ITokenizer
{
    /// <summary>One more than the highest id, added tokens included.</summary>
    int VocabularySize { get; }

    /// <summary>Beginning-of-sequence id, null if the tokenizer has none.</summary>
    int? BosId { get; }

    /// <summary>End-of-sequence id, null if the tokenizer has none.</summary>
    int? EosId { get; }

    /// <summary>Padding id, null if the tokenizer has none.</summary>
    int? PadId { get; }

    /// <summary>The <c>model_max_length</c> of tokenizer_config.json, null when absent or not finite.</summary>
    int? ModelMaxLength { get; }

    /// <summary>True for ids that decoding with <c>skipSpecialTokens</c> leaves out.</summary>
    bool IsSpecial(int id);

    /// <summary>The id of a token by its exact text (an added token or a vocabulary entry), null if there is none.</summary>
    int? IdOf(string token);

    /// <summary>
    /// Token ids of the text. With <paramref name="addSpecialTokens"/> the tokenizer's own template is applied, e.g. BOS in
    /// front for LLaMA. Added tokens that occur in the text become their ids.
    /// </summary>
    int[] Encode(string text, bool addSpecialTokens = true);

    /// <summary>Text of the ids; bytes that are not valid UTF-8 become U+FFFD. Ids outside the vocabulary throw <see cref="ArgumentOutOfRangeException"/>.</summary>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>Starts decoding token by token.</summary>
    ITokenStream CreateStream(bool skipSpecialTokens = true);
}

/// <summary>
/// Decodes a sequence token by token. The concatenation of all pieces and <see cref="Flush"/> equals <see cref="ITokenizer.Decode"/> of all
/// ids; a piece never ends inside a character.
/// </summary>
public interface ITokenStream
{
    /// <summary>The text that became certain with this token, often empty.</summary>
    string Append(int id);

    /// <summary>What is still held back, incomplete bytes as U+FFFD; the stream is then as new.</summary>
    string Flush();
}
