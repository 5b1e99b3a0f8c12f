using Farm.Core;

namespace Farm.Inference;

/// <summary>One prompt of a data set.</summary>
/// <param name="Index">
/// The row's index in the input file. It keys the random draws, so a run over part of the file (a resumed one, say) draws the same tokens.
/// </param>
/// <param name="Ids">Token ids, BOS included where the model wants it.</param>
/// <param name="Text">The text the ids were made from; needed only for scoring as text.</param>
public sealed record Prompt(int Index, int[] Ids, string? Text = null)
{
    /// <summary>Checks the prompt against a model.</summary>
    /// <exception cref="BadInputException">It is empty, holds an id outside the vocabulary, or fills the context; the message names the row, counted from 1.</exception>
    public void Validate(int vocabularySize, int context)
    {
        if (Ids.Length == 0)
        {
            throw new BadInputException($"Row {Index + 1}: the prompt has no tokens.");
        }

        if (Ids.Length >= context)
        {
            throw new BadInputException($"Row {Index + 1}: the prompt is {Ids.Length} tokens long and leaves no room in the model's context of {context}.");
        }

        foreach (int id in Ids)
        {
            if (id < 0 || id >= vocabularySize)
            {
                throw new BadInputException($"Row {Index + 1}: token id {id} is outside the model's vocabulary of {vocabularySize}.");
            }
        }
    }
}
