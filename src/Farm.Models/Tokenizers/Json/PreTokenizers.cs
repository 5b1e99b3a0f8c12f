using System.Globalization;
using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>Reads the <c>pre_tokenizer</c> of a tokenizer.json as a list of steps.</summary>
internal sealed class PreTokenizers
{
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    private readonly List<Action<PreTokenized>> _steps = [];

    /// <summary>True if words reach the model as bytes (the ByteLevel pre-tokenizer).</summary>
    public bool IsByteLevel { get; private set; }

    public static PreTokenizers Read(JsonField field)
    {
        var result = new PreTokenizers();
        result.Add(field);
        return result;
    }

    public void Apply(PreTokenized text)
    {
        foreach (var step in _steps)
        {
            step(text);
        }
    }

    private void Add(JsonField field)
    {
        if (field.IsNull)
        {
            return;
        }

        var type = field["type"].String();
        if (IsByteLevel && type != "Sequence")
        {
            throw field["type"].Error($"is '{type}' after ByteLevel, which must come last");
        }

        switch (type)
        {
            case "Sequence":
                foreach (var item in field["pretokenizers"].Items())
                {
                    Add(item);
                }

                break;
            case "ByteLevel":
                AddByteLevel(field);
                break;
            case "Metaspace":
                AddMetaspace(field);
                break;
            case "Split":
                AddSplit(TextPattern.Read(field["pattern"]), SplitBehaviors.Read(field["behavior"]), field["invert"].BoolOrNull() ?? false);
                break;
            case "Whitespace":
                AddSplit(TextPattern.FromRegex(@"\w+|[^\w\s]+"), SplitBehavior.Removed, invert: true);
                break;
            case "WhitespaceSplit":
                AddSplit(Rune.IsWhiteSpace, SplitBehavior.Removed);
                break;
            case "Digits":
                var individual = field["individual_digits"].BoolOrNull() ?? false;
                AddSplit(Rune.IsNumber, individual ? SplitBehavior.Isolated : SplitBehavior.Contiguous);
                break;
            case "Punctuation":
                AddSplit(IsPunctuation, field["behavior"] is { IsNull: false } behavior ? SplitBehaviors.Read(behavior) : SplitBehavior.Isolated);
                break;
            case "CharDelimiterSplit":
                var delimiter = Rune.GetRuneAt(field["delimiter"].String() is { Length: > 0 } text ? text : throw field["delimiter"].Error("is empty"), 0);
                AddSplit(rune => rune == delimiter, SplitBehavior.Removed);
                break;
            default:
                throw field["type"].Error($"is '{type}', a pre-tokenizer that is not supported");
        }
    }

    private void AddByteLevel(JsonField field)
    {
        if (field["add_prefix_space"].BoolOrNull() ?? true)
        {
            _steps.Add(text => text.Rewrite((part, _) => part.StartsWith(' ') ? part : " " + part));
        }

        if (field["use_regex"].BoolOrNull() ?? true)
        {
            AddSplit(TextPattern.FromRegex(Gpt2Pattern), SplitBehavior.Isolated, invert: false);
        }

        IsByteLevel = true;
    }

    private void AddMetaspace(JsonField field)
    {
        var replacement = field["replacement"].StringOrNull() ?? "\u2581";
        var scheme = field["prepend_scheme"].StringOrNull() ?? (field["add_prefix_space"].BoolOrNull() ?? true ? "always" : "never");
        if (scheme is not ("always" or "first" or "never"))
        {
            throw field["prepend_scheme"].Error($"is '{scheme}', which is not a known scheme");
        }

        _steps.Add(text => text.Rewrite((part, index) =>
        {
            part = part.Replace(" ", replacement, StringComparison.Ordinal);
            var prepends = scheme == "always" || (scheme == "first" && index == 0 && text.StartsInput);
            return prepends && !part.StartsWith(replacement, StringComparison.Ordinal) ? replacement + part : part;
        }));
        if (field["split"].BoolOrNull() ?? true)
        {
            AddSplit(rune => rune.ToString() == replacement, SplitBehavior.MergedWithNext);
        }
    }

    private void AddSplit(TextPattern pattern, SplitBehavior behavior, bool invert)
    {
        var pieces = new ThreadLocal<List<(int Start, int Length, bool IsMatch)>>(() => []);
        _steps.Add(text => text.Cut((part, parts) =>
        {
            var found = pieces.Value!;
            found.Clear();
            pattern.Find(part, found);
            if (invert)
            {
                for (var i = 0; i < found.Count; i++)
                {
                    found[i] = found[i] with { IsMatch = !found[i].IsMatch };
                }
            }

            SplitBehaviors.Apply(behavior, found, parts);
        }));
    }

    // Each character that the predicate picks is a delimiter of its own.
    private void AddSplit(Func<Rune, bool> isDelimiter, SplitBehavior behavior) =>
        _steps.Add(text => text.Cut((part, parts) =>
        {
            var pieces = new List<(int Start, int Length, bool Delimiter)>();
            var at = 0;
            foreach (var rune in part.EnumerateRunes())
            {
                var delimiter = isDelimiter(rune);
                if (!delimiter && pieces.Count > 0 && !pieces[^1].Delimiter)
                {
                    pieces[^1] = pieces[^1] with { Length = pieces[^1].Length + rune.Utf16SequenceLength };
                }
                else
                {
                    pieces.Add((at, rune.Utf16SequenceLength, delimiter));
                }

                at += rune.Utf16SequenceLength;
            }

            SplitBehaviors.Apply(behavior, pieces, parts);
        }));

    private static bool IsPunctuation(Rune rune) =>
        rune.IsAscii ? char.IsPunctuation((char)rune.Value) || char.IsSymbol((char)rune.Value) : Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation
                or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation => true,
            _ => false,
        };
}
