using Farm.Core;

namespace Farm.Models.Tokenizers;

/// <summary>Compares a tokenizer with the model it is used with.</summary>
public static class TokenizerCheck
{
    /// <summary>
    /// Throws <see cref="BadInputException"/> if the tokenizer can give ids for which the model has no embedding row. A model with more
    /// rows than the tokenizer has ids is fine: vocabularies are often padded.
    /// </summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="modelVocabularySize">Rows of the embedding matrix (<c>vocab_size</c>).</param>
    /// <param name="folder">The model's folder, for the message.</param>
    public static void Fits(ITokenizer tokenizer, int modelVocabularySize, string folder)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.VocabularySize > modelVocabularySize)
        {
            throw new BadInputException(
                $"{folder}: the tokenizer has ids up to {tokenizer.VocabularySize - 1} but the model's vocab_size is {modelVocabularySize}; "
                + "the tokenizer belongs to another model, or tokens were added without resizing the embeddings.");
        }
    }
}
