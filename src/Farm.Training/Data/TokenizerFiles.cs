using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Tokenizers;

namespace Farm.Training.Data;

/// <summary>Carries a tokenizer from the model that is trained to the model that is saved.</summary>
public static class TokenizerFiles
{
    /// <summary>Text of the padding token that AlpacaFarm adds where there is none.</summary>
    public const string PadToken = "[PAD]";

    private static readonly string[] Names =
    [
        "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt",
        "generation_config.json",
    ];

    /// <summary>
    /// The padding id and the vocabulary that AlpacaFarm gives a model: a tokenizer without padding token gets <c>[PAD]</c> as its next id, and the
    /// embeddings are resized to the tokenizer.
    /// </summary>
    public static (int PadId, bool Added, int VocabularySize) Resize(ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.PadId is { } pad ? (pad, false, tokenizer.VocabularySize) : (tokenizer.VocabularySize, true, tokenizer.VocabularySize + 1);
    }

    /// <summary>Copies the files, with <c>[PAD]</c> added to them where <paramref name="addedPadId"/> is given.</summary>
    /// <exception cref="BadInputException">A file cannot be read or written.</exception>
    public static void Copy(string source, string destination, int? addedPadId)
    {
        try
        {
            Directory.CreateDirectory(destination);
            foreach (string name in Names.Where(n => File.Exists(Path.Combine(source, n))))
            {
                byte[] bytes = File.ReadAllBytes(Path.Combine(source, name));
                AtomicFile.Write(Path.Combine(destination, name), bytes.Length, stream => stream.Write(bytes));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{destination}: the tokenizer cannot be copied there from {source}: {e.Message}", e);
        }

        if (addedPadId is { } id)
        {
            AddPad(destination, id);
        }
    }

    /// <summary>Adds special tokens with the next ids to the tokenizer files of a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="tokens">Their texts, which the tokenizer does not have yet.</param>
    /// <param name="firstId">Id of the first.</param>
    /// <exception cref="BadInputException">A file cannot be read or written.</exception>
    public static void AddSpecialTokens(string folder, IReadOnlyList<string> tokens, int firstId)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        bool fast = File.Exists(Path.Combine(folder, "tokenizer.json"));
        for (int i = 0; i < tokens.Count; i++)
        {
            string text = tokens[i];
            int id = firstId + i;
            Edit(folder, "added_tokens.json", create: !fast, json => json[text] = id);
            Edit(folder, "special_tokens_map.json", create: true, json => Append(json, "additional_special_tokens", text));
            Edit(folder, "tokenizer_config.json", create: false, json =>
            {
                if (json["added_tokens_decoder"] is JsonObject decoder)
                {
                    decoder[$"{id}"] = Token(text);
                }
            });
            Edit(folder, "tokenizer.json", create: false, json =>
            {
                var token = Token(text);
                token["id"] = id;
                Append(json, "added_tokens", token);
            });
        }
    }

    private static void Append(JsonObject json, string field, JsonNode value)
    {
        if (json[field] is not JsonArray list)
        {
            json[field] = list = [];
        }

        list.Add(value);
    }

    private static void AddPad(string folder, int id)
    {
        Edit(folder, "added_tokens.json", create: !File.Exists(Path.Combine(folder, "tokenizer.json")), json => json[PadToken] = id);
        Edit(folder, "special_tokens_map.json", create: true, json => json["pad_token"] = PadToken);
        Edit(folder, "tokenizer_config.json", create: false, json =>
        {
            json["pad_token"] = PadToken;
            if (json["added_tokens_decoder"] is JsonObject decoder)
            {
                decoder[$"{id}"] = Token();
            }
        });
        Edit(folder, "tokenizer.json", create: false, json =>
        {
            var token = Token();
            token["id"] = id;
            Append(json, "added_tokens", token);
        });
    }

    private static JsonObject Token(string text = PadToken) => new()
    {
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static void Edit(string folder, string name, bool create, Action<JsonObject> edit)
    {
        string path = Path.Combine(folder, name);
        if (!File.Exists(path) && !create)
        {
            return;
        }

        JsonObject json = [];
        if (File.Exists(path))
        {
            using var document = JsonFile.ReadObject(path);
            json = JsonObject.Create(document.RootElement.Clone())!;
        }

        edit(json);
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(json, Indented);
        AtomicFile.Write(path, bytes.Length, stream => stream.Write(bytes));
    }

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}
