namespace Farm.Models.Tokenizers.Json;

/// <summary>
/// A <c>tokenizer.json</c>: added tokens, normalizer, pre-tokenizer, BPE model, post-processor and decoder as the Hugging Face
/// <c>tokenizers</c> library runs them.
/// </summary>
public sealed class JsonTokenizer : ITokenizer
{
    private readonly Func<string, string> _normalize;
    private readonly PreTokenizers _preTokenizers;
    private readonly BpeModel _model;
    private readonly Decoders _decoders;
    private readonly Template _template;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<string, int> _addedIds;
    private readonly HashSet<int> _special;
    private readonly AddedTokenSplitter _raw;
    private readonly AddedTokenSplitter _normalized;

    internal JsonTokenizer(TokenizerParts parts)
    {
        _normalize = parts.Normalize;
        _preTokenizers = parts.PreTokenizers;
        _model = parts.Model;
        _decoders = parts.Decoders;
        _template = parts.Template;
        _added = parts.Tokens.Added;
        _addedIds = parts.Tokens.AddedIds;
        _special = [.. _added.Values.Where(t => t.Special).Select(t => t.Id)];
        _raw = new AddedTokenSplitter(_added.Values.Where(t => !t.Normalized || !parts.HasNormalizer), t => t.Content);
        _normalized = new AddedTokenSplitter(_added.Values.Where(t => t.Normalized && parts.HasNormalizer), t => _normalize(t.Content));
        VocabularySize = parts.Tokens.Size;
        BosId = parts.Tokens.IdOf(parts.Settings.Bos);
        EosId = parts.Tokens.IdOf(parts.Settings.Eos);
        PadId = parts.Tokens.IdOf(parts.Settings.Pad);
        ModelMaxLength = parts.Settings.ModelMaxLength;
    }

    /// <inheritdoc />
    public int VocabularySize { get; }

    /// <inheritdoc />
    public int? BosId { get; }

    /// <inheritdoc />
    public int? EosId { get; }

    /// <inheritdoc />
    public int? PadId { get; }

    /// <inheritdoc />
    public int? ModelMaxLength { get; }

    /// <inheritdoc />
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <inheritdoc />
    public int? IdOf(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _addedIds.TryGetValue(token, out var id) ? id : _model.IdOf(token);
    }

    /// <inheritdoc />
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(8 + (text.Length / 3));
        if (addSpecialTokens)
        {
            ids.AddRange(_template.Before);
        }

        text = WellFormed.Of(text);
        if (_raw.IsEmpty)
        {
            EncodeSection(text, startsInput: true, ids);
        }
        else
        {
            foreach (var (start, length, token) in Pieces(_raw, text))
            {
                if (token is not null)
                {
                    ids.Add(token.Id);
                }
                else
                {
                    EncodeSection(length == text.Length ? text : text.Substring(start, length), start == 0, ids);
                }
            }
        }

        if (addSpecialTokens)
        {
            ids.AddRange(_template.After);
        }

        return [.. ids];
    }

    /// <inheritdoc />
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => TokenStreams.DecodeAll(CreateStream(skipSpecialTokens), ids);

    /// <inheritdoc />
    public ITokenStream CreateStream(bool skipSpecialTokens = true) => new JsonTokenStream(this, _decoders, skipSpecialTokens);

    /// <summary>The token's own text; ids outside the vocabulary throw.</summary>
    internal string TextOf(int id) =>
        _added.TryGetValue(id, out var token) ? token.Content
        : (uint)id < (uint)_model.Tokens.Length && _model.Tokens[id] is { } text ? text
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"Token id {id} is not in the vocabulary of {VocabularySize}.");

    private static List<(int Start, int Length, AddedToken? Token)> Pieces(AddedTokenSplitter splitter, string text)
    {
        var pieces = new List<(int Start, int Length, AddedToken? Token)>();
        splitter.Split(text, pieces);
        return pieces;
    }

    private void EncodeSection(string text, bool startsInput, List<int> ids)
    {
        text = _normalize(text);
        if (_normalized.IsEmpty)
        {
            EncodeText(text, startsInput, ids);
            return;
        }

        foreach (var (start, length, token) in Pieces(_normalized, text))
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                EncodeText(text.Substring(start, length), startsInput && start == 0, ids);
            }
        }
    }

    private void EncodeText(string text, bool startsInput, List<int> ids)
    {
        if (text.Length == 0)
        {
            return;
        }

        var words = new PreTokenized(text, startsInput);
        _preTokenizers.Apply(words);
        foreach (var (start, length) in words.Splits)
        {
            _model.Encode(words.Text.AsSpan(start, length), ids);
        }
    }
}
