using Farm.Core;
using Farm.Models.Tokenizers;
using Farm.Training.Data;

namespace Farm.Cli.Engine;

/// <summary>A model folder's tokenizer with more special tokens, as it will be saved beside the trained model.</summary>
internal static class ExtendedTokenizer
{
    /// <summary>Loads it; nothing of it stays on disk.</summary>
    /// <exception cref="BadInputException">The tokenizer cannot be read, or does not take the tokens.</exception>
    public static ITokenizer Load(string folder, int? addedPadId, IReadOnlyList<string> tokens, int firstId)
    {
        string temporary = Directory.CreateTempSubdirectory("farm-tokenizer-").FullName;
        try
        {
            TokenizerFiles.Copy(folder, temporary, addedPadId);
            TokenizerFiles.AddSpecialTokens(temporary, tokens, firstId);
            var tokenizer = TokenizerLoader.Load(temporary);
            for (int i = 0; i < tokens.Count; i++)
            {
                if (tokenizer.IdOf(tokens[i]) != firstId + i)
                {
                    throw new BadInputException($"{folder}: the tokenizer does not take the token '{tokens[i]}' as id {firstId + i}.");
                }
            }

            return tokenizer;
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }
}
