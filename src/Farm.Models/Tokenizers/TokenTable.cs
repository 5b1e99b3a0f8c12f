namespace Farm.Models.Tokenizers;

/// <summary>
/// Gives every added and special token its id: the one the files state, else that of the same text in the model's vocabulary, else the
/// next free one, as Hugging Face does when it adds a token.
/// </summary>
internal sealed class TokenTable
{
    private readonly Func<string, int?> _inModel;

    /// <summary>Creates the table; <paramref name="known"/> are tokens with ids that the settings do not list.</summary>
    public TokenTable(TokenizerSettings settings, int modelSize, Func<string, int?> inModel, IEnumerable<AddedToken>? known = null)
    {
        _inModel = inModel;
        Size = modelSize;
        foreach (var token in (known ?? []).Concat(settings.AddedTokens))
        {
            Add(token);
        }

        var unknown = settings.SpecialTokens.Where(t => !AddedIds.ContainsKey(t.Content));
        foreach (var token in unknown.ToList())
        {
            Add(token with { Id = inModel(token.Content) ?? Size });
        }

        foreach (var token in settings.SpecialTokens)
        {
            var id = AddedIds[token.Content];
            Added[id] = Added[id] with { Special = true };
        }
    }

    /// <summary>One more than the highest id.</summary>
    public int Size { get; private set; }

    public Dictionary<int, AddedToken> Added { get; } = [];

    public Dictionary<string, int> AddedIds { get; } = new(StringComparer.Ordinal);

    /// <summary>Id of a token by its text, null for null and for what is nowhere.</summary>
    public int? IdOf(string? content) =>
        content is null ? null : AddedIds.TryGetValue(content, out var id) ? id : _inModel(content);

    private void Add(AddedToken token)
    {
        if (Added.ContainsKey(token.Id) || !AddedIds.TryAdd(token.Content, token.Id))
        {
            return;
        }

        Added.Add(token.Id, token);
        Size = Math.Max(Size, token.Id + 1);
    }
}
