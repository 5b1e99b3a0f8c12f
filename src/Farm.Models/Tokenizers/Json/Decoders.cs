using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>One step of decoding in progress: takes tokens, hands text on, and holds back what is not certain yet.</summary>
internal abstract class DecoderState
{
    /// <summary>Where results go.</summary>
    public DecoderState? Next { get; set; }

    /// <summary>Takes one token.</summary>
    public abstract void Push(string token);

    /// <summary>The sequence is over: hands on what is held back and returns to the initial state. Does not end <see cref="Next"/>.</summary>
    public virtual void End()
    {
    }
}

/// <summary>Reads the <c>decoder</c> of a tokenizer.json as a chain of streaming steps.</summary>
internal sealed class Decoders
{
    private readonly List<Func<DecoderState>> _steps = [];
    private bool _fused;

    public static Decoders Read(JsonField field)
    {
        var result = new Decoders();
        if (field.IsNull)
        {
            result._steps.Add(() => new SpaceJoinState());
        }
        else
        {
            result.Add(field);
        }

        return result;
    }

    /// <summary>A fresh chain, in order; the last one's output goes to <paramref name="sink"/>.</summary>
    public List<DecoderState> Start(StringBuilder sink)
    {
        List<DecoderState> chain = [.. _steps.Select(create => create()), new SinkState(sink)];
        for (var i = 0; i + 1 < chain.Count; i++)
        {
            chain[i].Next = chain[i + 1];
        }

        return chain;
    }

    private void Add(JsonField field)
    {
        var type = field["type"].String();
        if (_fused && type is "ByteLevel" or "ByteFallback" or "Metaspace")
        {
            throw field["type"].Error($"is '{type}' after the tokens are joined, which is not supported");
        }

        switch (type)
        {
            case "Sequence":
                foreach (var item in field["decoders"].Items())
                {
                    Add(item);
                }

                break;
            case "ByteLevel":
                _steps.Add(() => new ByteLevelState());
                _fused = true;
                break;
            case "ByteFallback":
                _steps.Add(() => new ByteFallbackState());
                break;
            case "Fuse":
                _fused = true;
                break;
            case "Metaspace":
                var replacement = field["replacement"].StringOrNull() ?? "\u2581";
                var scheme = field["prepend_scheme"].StringOrNull() ?? (field["add_prefix_space"].BoolOrNull() ?? true ? "always" : "never");
                _steps.Add(() => new MetaspaceState(replacement, scheme != "never"));
                break;
            case "Replace":
                AddReplace(field);
                break;
            case "Strip":
                AddStrip(field);
                break;
            default:
                throw field["type"].Error($"is '{type}', a decoder that is not supported");
        }
    }

    private void AddReplace(JsonField field)
    {
        var pattern = TextPattern.Read(field["pattern"]);
        if (_fused && pattern.Text is not { Length: 1 })
        {
            throw field["pattern"].Error("is longer than one character after the tokens are joined, which is not supported");
        }

        var content = field["content"].String();
        _steps.Add(() => new ReplaceState(pattern, content));
    }

    private void AddStrip(JsonField field)
    {
        var content = field["content"].String() is { Length: 1 } text ? text[0] : throw field["content"].Error("must be one character");
        var start = field["start"].Int();
        var stop = field["stop"].Int();
        if (start < 0 || stop < 0)
        {
            throw field.Error("has a negative start or stop");
        }

        if (_fused)
        {
            _steps.Add(() => new FusedStripState(content, start, stop));
        }
        else
        {
            _steps.Add(() => new StripState(content, start, stop));
        }
    }
}
