using System.Globalization;
using System.Text.Json;

namespace Farm.Models.Tokenizers;

/// <summary>
/// What the small JSON files beside a tokenizer say: tokenizer_config.json, special_tokens_map.json and added_tokens.json (the first
/// has precedence). Absent values are null.
/// </summary>
public sealed class TokenizerSettings
{
    private readonly Dictionary<string, AddedToken> _specials = new(StringComparer.Ordinal);

    /// <summary>True if there is a tokenizer_config.json or a special_tokens_map.json.</summary>
    public bool IsConfigured { get; private set; }

    /// <summary>Text of the beginning-of-sequence token.</summary>
    public string? Bos { get; private set; }

    /// <summary>Text of the end-of-sequence token.</summary>
    public string? Eos { get; private set; }

    /// <summary>Text of the unknown token.</summary>
    public string? Unknown { get; private set; }

    /// <summary>Text of the padding token.</summary>
    public string? Pad { get; private set; }

    /// <summary>Whether encoding puts BOS in front.</summary>
    public bool? AddBos { get; private set; }

    /// <summary>Whether encoding puts EOS at the end.</summary>
    public bool? AddEos { get; private set; }

    /// <summary>The slow LLaMA tokenizer's <c>legacy</c>.</summary>
    public bool? Legacy { get; private set; }

    /// <summary>Whether a LLaMA tokenizer writes a space in front of the text.</summary>
    public bool? AddPrefixSpace { get; private set; }

    /// <summary>Whether the configuration asks for <see cref="TextCleanup"/>; decoding itself never applies it.</summary>
    public bool? CleanUpTokenizationSpaces { get; private set; }

    /// <summary>Greatest sequence length, null when absent or Hugging Face's "very large" sentinel of 1e30.</summary>
    public int? ModelMaxLength { get; private set; }

    /// <summary>The tokenizer's Jinja chat template.</summary>
    public string? ChatTemplate { get; private set; }

    /// <summary>Class name in Hugging Face transformers, e.g. <c>LlamaTokenizer</c>.</summary>
    public string? TokenizerClass { get; private set; }

    /// <summary>Added tokens with known ids.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _added;

    /// <summary>Special tokens by text, ids not known yet (-1).</summary>
    internal IReadOnlyCollection<AddedToken> SpecialTokens => _specials.Values;

    private List<AddedToken> _added = [];

    /// <summary>Reads the files of a folder; all of them may be absent.</summary>
    public static TokenizerSettings Load(string folder)
    {
        var settings = new TokenizerSettings();
        var added = new Dictionary<int, AddedToken>();
        if (JsonField.TryRead(Path.Combine(folder, "tokenizer_config.json")) is { } config)
        {
            settings.ReadConfig(config, added);
        }

        if (JsonField.TryRead(Path.Combine(folder, "special_tokens_map.json")) is { } map)
        {
            settings.IsConfigured = true;
            settings.ReadSpecials(map);
        }

        if (JsonField.TryRead(Path.Combine(folder, "added_tokens.json")) is { } tokens)
        {
            foreach (var (content, value) in tokens.Members())
            {
                var id = value.TokenId();
                if (content.Length == 0)
                {
                    throw value.Error("has an empty text");
                }

                var flags = settings._specials.GetValueOrDefault(content) ?? new AddedToken(id, content, Special: false);
                added.TryAdd(id, flags with { Id = id });
            }
        }

        var template = Path.Combine(folder, "chat_template.jinja");
        if (settings.ChatTemplate is null && File.Exists(template))
        {
            settings.ChatTemplate = File.ReadAllText(template);
        }

        // A token that the configuration names as special is special, whatever its own entry says.
        settings._added = [.. added.Values.OrderBy(t => t.Id).Select(t => t with { Special = t.Special || settings._specials.ContainsKey(t.Content) })];
        return settings;
    }

    private void ReadConfig(JsonField config, Dictionary<int, AddedToken> added)
    {
        IsConfigured = true;
        ReadSpecials(config);
        AddBos = config["add_bos_token"].BoolOrNull();
        AddEos = config["add_eos_token"].BoolOrNull();
        Legacy = config["legacy"].BoolOrNull();
        AddPrefixSpace = config["add_prefix_space"].BoolOrNull();
        CleanUpTokenizationSpaces = config["clean_up_tokenization_spaces"].BoolOrNull();
        TokenizerClass = config["tokenizer_class"].StringOrNull();
        ModelMaxLength = ReadMaxLength(config["model_max_length"]);
        ChatTemplate = ReadChatTemplate(config["chat_template"]);
        var decoder = config["added_tokens_decoder"];
        if (decoder.IsNull)
        {
            return;
        }

        foreach (var (name, value) in decoder.Members())
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) || id >= 1 << 24)
            {
                throw value.Error("is not named by a token id");
            }

            added[id] = ReadToken(value, false) with { Id = id };
        }
    }

    private void ReadSpecials(JsonField file)
    {
        Bos ??= ReadSpecial(file["bos_token"]);
        Eos ??= ReadSpecial(file["eos_token"]);
        Unknown ??= ReadSpecial(file["unk_token"]);
        Pad ??= ReadSpecial(file["pad_token"]);
        foreach (var name in new[] { "sep_token", "cls_token", "mask_token" })
        {
            ReadSpecial(file[name]);
        }

        var additional = file["additional_special_tokens"];
        if (!additional.IsNull)
        {
            foreach (var item in additional.Items())
            {
                ReadSpecial(item);
            }
        }
    }

    private string? ReadSpecial(JsonField field)
    {
        if (field.IsNull)
        {
            return null;
        }

        var token = field.Element.ValueKind == JsonValueKind.String ? new AddedToken(-1, field.String()) : ReadToken(field, true);
        if (token.Content.Length > 0)
        {
            _specials.TryAdd(token.Content, token);
        }

        return token.Content.Length > 0 ? token.Content : null;
    }

    /// <summary>Reads an added token's object; the id is not part of it.</summary>
    internal static AddedToken ReadToken(JsonField field, bool special)
    {
        var content = field["content"].String();
        return content.Length == 0
            ? throw field["content"].Error("must not be empty")
            : new AddedToken(
                -1,
                content,
                field["special"].BoolOrNull() ?? special,
                field["single_word"].BoolOrNull() ?? false,
                field["lstrip"].BoolOrNull() ?? false,
                field["rstrip"].BoolOrNull() ?? false,
                field["normalized"].BoolOrNull() ?? false);
    }

    private static int? ReadMaxLength(JsonField field)
    {
        if (field.IsNull)
        {
            return null;
        }

        var value = field.Element.ValueKind == JsonValueKind.Number ? field.Element.GetDouble() : throw field.Error("must be a number");
        return value is >= 1 ? value <= int.MaxValue ? (int)value : null : throw field.Error("must be at least 1");
    }

    private static string? ReadChatTemplate(JsonField field)
    {
        if (field.Element.ValueKind != JsonValueKind.Array)
        {
            return field.StringOrNull();
        }

        var templates = field.Items().ToList();
        foreach (var item in templates.Where(t => t["name"].String() == "default"))
        {
            return item["template"].String();
        }

        return templates.Count > 0 ? templates[0]["template"].String() : null;
    }
}
