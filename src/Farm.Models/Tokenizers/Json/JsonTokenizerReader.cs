using Farm.Core;

namespace Farm.Models.Tokenizers.Json;

/// <summary>The components of a tokenizer.json.</summary>
internal sealed record TokenizerParts(
    Func<string, string> Normalize,
    bool HasNormalizer,
    PreTokenizers PreTokenizers,
    BpeModel Model,
    Decoders Decoders,
    Template Template,
    TokenTable Tokens,
    TokenizerSettings Settings);

/// <summary>Builds a <see cref="JsonTokenizer"/> from its file.</summary>
internal static class JsonTokenizerReader
{
    // Classes that build the template from add_bos_token and add_eos_token, whatever the file's post-processor says.
    private static readonly HashSet<string> s_llamaClasses = new(StringComparer.Ordinal)
    {
        "LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast", "GemmaTokenizer", "GemmaTokenizerFast",
    };

    public static JsonTokenizer Read(string file, TokenizerSettings settings)
    {
        var root = JsonField.TryRead(file) ?? throw new BadInputException($"The file {file} does not exist.");
        var preTokenizers = PreTokenizers.Read(root["pre_tokenizer"]);
        var model = new BpeModel(root["model"], preTokenizers.IsByteLevel);
        var tokens = new TokenTable(settings, model.Tokens.Length, model.IdOf, ReadAdded(root["added_tokens"]));
        return new JsonTokenizer(new TokenizerParts(
            TextNormalizers.Read(root["normalizer"]),
            !root["normalizer"].IsNull,
            preTokenizers,
            model,
            Decoders.Read(root["decoder"]),
            ReadTemplate(root["post_processor"], settings, tokens),
            tokens,
            settings));
    }

    private static List<AddedToken> ReadAdded(JsonField field) =>
        field.IsNull ? [] : [.. field.Items().Select(item => TokenizerSettings.ReadToken(item, false) with { Id = item["id"].TokenId() })];

    private static Template ReadTemplate(JsonField field, TokenizerSettings settings, TokenTable tokens)
    {
        var read = Template.Read(field, tokens.IdOf);
        if (settings.TokenizerClass is null || !s_llamaClasses.Contains(settings.TokenizerClass) || (settings.AddBos is null && settings.AddEos is null))
        {
            return read;
        }

        int[] bos = (settings.AddBos ?? true) && tokens.IdOf(settings.Bos) is { } b ? [b] : [];
        int[] eos = (settings.AddEos ?? false) && tokens.IdOf(settings.Eos) is { } e ? [e] : [];
        return new Template(bos, eos);
    }
}
