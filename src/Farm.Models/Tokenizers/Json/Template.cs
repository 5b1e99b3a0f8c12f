namespace Farm.Models.Tokenizers.Json;

/// <summary>The special ids that encoding puts around a single text.</summary>
internal sealed record Template(IReadOnlyList<int> Before, IReadOnlyList<int> After)
{
    /// <summary>Nothing around the text.</summary>
    public static Template None { get; } = new([], []);

    /// <summary>Reads the <c>post_processor</c>.</summary>
    public static Template Read(JsonField field, Func<string, int?> idOf)
    {
        if (field.IsNull)
        {
            return None;
        }

        var type = field["type"].String();
        switch (type)
        {
            case "ByteLevel":
                return None;
            case "Sequence":
                // Templates apply one around the other, in order.
                return field["processors"].Items().Select(p => Read(p, idOf)).Aggregate(
                    None,
                    (inner, outer) => new Template([.. outer.Before, .. inner.Before], [.. inner.After, .. outer.After]));
            case "TemplateProcessing":
                return ReadTemplate(field, idOf);
            default:
                throw field["type"].Error($"is '{type}', a post-processor that is not supported");
        }
    }

    private static Template ReadTemplate(JsonField field, Func<string, int?> idOf)
    {
        List<int> before = [];
        List<int> after = [];
        var seen = false;
        foreach (var item in field["single"].Items())
        {
            if (item["SpecialToken"] is { IsNull: false } special)
            {
                (seen ? after : before).AddRange(ReadIds(field, special["id"], idOf));
            }
            else if (item["Sequence"] is { IsNull: false } sequence)
            {
                seen = !seen && sequence["id"].String() == "A" ? true : throw sequence["id"].Error("must be a single 'A'");
            }
            else
            {
                throw item.Error("must be a SpecialToken or a Sequence");
            }
        }

        return seen ? new Template(before, after) : throw field["single"].Error("has no Sequence");
    }

    private static List<int> ReadIds(JsonField field, JsonField name, Func<string, int?> idOf)
    {
        var token = name.String();
        var entry = field["special_tokens"];
        if (!entry.IsNull && entry[token] is { IsNull: false } known)
        {
            return [.. known["ids"].Items().Select(id => id.TokenId())];
        }

        return [idOf(token) ?? throw name.Error($"names the token '{token}', which does not exist")];
    }
}
