using System.Text;

namespace Farm.Models.Tokenizers.Json;

/// <summary>Runs a chain of decoder steps token by token.</summary>
internal sealed class JsonTokenStream : ITokenStream
{
    private readonly StringBuilder _text = new();
    private readonly List<DecoderState> _chain;
    private readonly JsonTokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;

    public JsonTokenStream(JsonTokenizer tokenizer, Decoders decoders, bool skipSpecialTokens)
    {
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _chain = decoders.Start(_text);
    }

    public string Append(int id)
    {
        var token = _tokenizer.TextOf(id);
        if (_skipSpecialTokens && _tokenizer.IsSpecial(id))
        {
            return string.Empty;
        }

        _chain[0].Push(token);
        return Take();
    }

    public string Flush()
    {
        foreach (var state in _chain)
        {
            state.End();
        }

        return Take();
    }

    private string Take()
    {
        var text = _text.ToString();
        _text.Clear();
        return text;
    }
}
