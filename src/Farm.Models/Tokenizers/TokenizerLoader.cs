using Farm.Core;
using Farm.Models.Tokenizers.Json;
using Farm.Models.Tokenizers.SentencePiece;

namespace Farm.Models.Tokenizers;

/// <summary>Loads the tokenizer of a model folder.</summary>
public static class TokenizerLoader
{
    /// <summary>
    /// Loads <c>tokenizer.model</c> or <c>tokenizer.json</c> with the configuration files beside it. If both are there,
    /// <c>tokenizer.model</c> is taken: it is the original of LLaMA-1/2 style models, and what AlpacaFarm's slow tokenizer reads.
    /// A <c>tokenizer.model</c> that is not SentencePiece (LLaMA-3 ships tiktoken ranks by that name) is passed over
    /// when a <c>tokenizer.json</c> is there.
    /// </summary>
    /// <exception cref="BadInputException">There is no tokenizer, or it is malformed or not supported; names file and field.</exception>
    public static ITokenizer Load(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!Directory.Exists(folder))
        {
            throw new BadInputException($"The folder {folder} does not exist.");
        }

        var settings = TokenizerSettings.Load(folder);
        var model = Path.Combine(folder, "tokenizer.model");
        var json = Path.Combine(folder, "tokenizer.json");
        var hasJson = File.Exists(json);
        if (File.Exists(model))
        {
            var data = Read(model);
            if (!hasJson || !LooksLikeTiktoken(data))
            {
                return new SentencePieceTokenizer(new SentencePieceProcessor(SentencePieceModel.Parse(data, model), model), settings);
            }
        }

        return hasJson
            ? JsonTokenizerReader.Read(json, settings)
            : throw new BadInputException($"{folder} has neither tokenizer.model nor tokenizer.json.");
    }

    private static byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be read: {e.Message}", e);
        }
    }

    // Lines of "base64 rank": the first byte of a SentencePiece model is 0x0A (its first field), which no base64 text starts with.
    private static bool LooksLikeTiktoken(ReadOnlySpan<byte> data) => data.Length > 0 && (char.IsAsciiLetterOrDigit((char)data[0]) || data[0] is (byte)'+' or (byte)'/');
}
