using System.Runtime.InteropServices;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>
/// A <c>tokenizer.model</c> with Hugging Face's conventions for the slow LLaMA tokenizer around it: BOS and EOS by configuration, and
/// added tokens cut out of the text first, each stretch between them encoded on its own.
/// </summary>
/// <remarks>
/// <para>
/// Without a tokenizer_config.json nothing is cut out: the text of a control token is plain text, as in the SentencePiece library. With
/// one, the special tokens it names are found in the text (spec of transformers 4.28, <c>legacy</c>); <c>legacy: false</c>
/// writes one dummy prefix in front of the whole text instead of one per stretch.
/// </para>
/// <para>
/// Added tokens given as plain strings keep the white space around them, as transformers does since 4.34.
/// </para>
/// </remarks>
public sealed class SentencePieceTokenizer : ITokenizer
{
    private const string Space = "\u2581";
    private readonly SentencePieceProcessor _processor;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<string, int> _addedIds;
    private readonly AddedTokenSplitter _splitter;
    private readonly HashSet<int> _special;
    private readonly bool _addBos;
    private readonly bool _addEos;
    private readonly bool _legacy;
    private readonly bool _addPrefixSpace;

    internal SentencePieceTokenizer(SentencePieceProcessor processor, TokenizerSettings settings)
    {
        _processor = processor;
        var model = processor.Model;
        var vocabulary = new TokenTable(settings, model.Pieces.Count, text => processor.Vocabulary.Find(text) is >= 0 and var id ? id : null);
        _added = vocabulary.Added;
        _addedIds = vocabulary.AddedIds;
        _splitter = new AddedTokenSplitter(_added.Values, t => t.Content);
        _legacy = settings.Legacy ?? true;
        _addPrefixSpace = settings.AddPrefixSpace ?? true;
        VocabularySize = vocabulary.Size;
        BosId = vocabulary.IdOf(settings.Bos) ?? Control(model.BosId);
        EosId = vocabulary.IdOf(settings.Eos) ?? Control(model.EosId);
        PadId = vocabulary.IdOf(settings.Pad) ?? Control(model.PadId);
        ModelMaxLength = settings.ModelMaxLength;
        _addBos = (settings.AddBos ?? true) && BosId is not null;
        _addEos = (settings.AddEos ?? false) && EosId is not null;
        _special = [.. _added.Values.Where(t => t.Special).Select(t => t.Id), model.UnknownId];
        _special.UnionWith(Enumerable.Range(0, model.Pieces.Count).Where(id => model.Pieces[id].Type == PieceType.Control));
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

    internal SentencePieceModel Model => _processor.Model;

    /// <inheritdoc />
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <inheritdoc />
    public int? IdOf(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _addedIds.TryGetValue(token, out var id) ? id : _processor.Vocabulary.Find(token) is >= 0 and var found ? found : null;
    }

    /// <inheritdoc />
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = addSpecialTokens && _addBos ? [BosId!.Value] : [];
        text = WellFormed.Of(text);
        if (_legacy)
        {
            EncodePieces(text, _processor.Model.AddDummyPrefix, ids);
        }
        else if (text.Length > 0)
        {
            EncodeNewStyle(text, ids);
        }

        if (addSpecialTokens && _addEos)
        {
            ids.Add(EosId!.Value);
        }

        return [.. ids];
    }

    /// <summary>
    /// Ids of UTF-8 bytes exactly as the SentencePiece library gives them: no BOS or EOS, no added tokens, each malformed byte as U+FFFD.
    /// </summary>
    public int[] EncodeUtf8(ReadOnlySpan<byte> text) => [.. _processor.EncodeUtf8(text, _processor.Model.AddDummyPrefix)];

    /// <inheritdoc />
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => TokenStreams.DecodeAll(CreateStream(skipSpecialTokens), ids);

    /// <inheritdoc />
    public ITokenStream CreateStream(bool skipSpecialTokens = true) => new SentencePieceStream(this, skipSpecialTokens);

    /// <summary>The added token of an id, null for a piece of the model; ids outside the vocabulary throw.</summary>
    internal AddedToken? AddedAt(int id)
    {
        if (_added.TryGetValue(id, out var token))
        {
            return token;
        }

        return (uint)id < (uint)_processor.Model.Pieces.Count
            ? null
            : throw new ArgumentOutOfRangeException(nameof(id), id, $"Token id {id} is not in the vocabulary of {VocabularySize}.");
    }

    // "legacy: false": the prefix is written once, in front, and is an ordinary part of the text from then on.
    private void EncodeNewStyle(string text, List<int> ids)
    {
        text = text.Replace(Space, " ", StringComparison.Ordinal);
        text = _addPrefixSpace ? Space + text : text;
        var own = new List<int>();
        EncodePieces(text, dummyPrefix: false, own);
        var space = _processor.Vocabulary.Find(Space);
        var redundant = own.Count > 1 && own[0] == space && _special.Contains(own[1]);
        ids.AddRange(redundant ? own.Skip(1) : own);
    }

    private void EncodePieces(string text, bool dummyPrefix, List<int> ids)
    {
        if (_splitter.IsEmpty)
        {
            ids.AddRange(_processor.Encode(text, dummyPrefix));
            return;
        }

        var pieces = new List<(int Start, int Length, AddedToken? Token)>();
        _splitter.Split(text, pieces);
        foreach (var (start, length, token) in pieces)
        {
            if (token is not null)
            {
                ids.Add(token.Id);
            }
            else
            {
                ids.AddRange(CollectionsMarshal.AsSpan(_processor.Encode(text.AsSpan(start, length), dummyPrefix)));
            }
        }
    }

    private int? Control(int id) =>
        id >= 0 && id < _processor.Model.Pieces.Count && _processor.Model.Pieces[id].Type == PieceType.Control ? id : null;
}
