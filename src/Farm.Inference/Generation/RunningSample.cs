using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Inference;

/// <summary>One sample being decoded. The object and its arrays are used again by later samples.</summary>
internal sealed class RunningSample(int maxNewTokens, int seenWords)
{
    private readonly int[] _tokens = new int[maxNewTokens];
    private readonly float[] _logProbs = new float[maxNewTokens];
    private readonly int[] _pages = new int[KvPool.PagesFor(maxNewTokens)];
    private int _pageCount;

    public ActivePrompt Prompt { get; private set; } = null!;

    public int SampleIndex { get; private set; }

    /// <summary>Tokens drawn.</summary>
    public int Count { get; private set; }

    /// <summary>Most tokens this sample may draw.</summary>
    public int Limit { get; private set; }

    public StopStringMatcher? Matcher { get; private set; }

    /// <summary>The host's copy of the tokens so far as a bit set, kept only with a repetition penalty.</summary>
    public int[] Seen { get; } = new int[seenWords];

    public ReadOnlySpan<int> Pages => _pages.AsSpan(0, _pageCount);

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    public ReadOnlySpan<float> LogProbs => _logProbs.AsSpan(0, Count);

    /// <summary>The newest token, which the next step runs through the model.</summary>
    public ReadOnlySpan<int> Newest => _tokens.AsSpan(Count - 1, 1);

    /// <summary>Pages that a sample of so many tokens takes: its last token is drawn but never run.</summary>
    public static int PagesFor(int limit) => KvPool.PagesFor(limit - 1);

    /// <summary>Begins a sample in pages of <paramref name="cache"/>; false if there are too few.</summary>
    public bool TryBegin(ActivePrompt prompt, int limit, KvCache cache, StopStringMatcher? matcher)
    {
        int pages = PagesFor(limit);
        if (!cache.TryRent(_pages.AsSpan(0, pages)))
        {
            return false;
        }

        _pageCount = pages;
        Prompt = prompt;
        SampleIndex = prompt.BeginSample();
        Count = 0;
        Limit = limit;
        Matcher = matcher;
        Array.Clear(Seen);
        foreach (int id in prompt.Prompt.Ids)
        {
            Mark(id);
        }

        return true;
    }

    public void Append(int token, float logProb)
    {
        _tokens[Count] = token;
        _logProbs[Count] = logProb;
        Count++;
        Mark(token);
    }

    /// <summary>Why the newest token is the sample's last; null if it is not. Asked once after each token.</summary>
    public FinishReason? Finished(int[] eosIds)
    {
        int token = Newest[0];
        if (Array.IndexOf(eosIds, token) >= 0)
        {
            return Matcher?.Flush() == true ? FinishReason.Stop : FinishReason.Eos;
        }

        if (Matcher?.Append(token) == true)
        {
            return FinishReason.Stop;
        }

        return Count < Limit ? null : Matcher?.Flush() == true ? FinishReason.Stop : FinishReason.Length;
    }

    /// <summary>The finished sample, a copy.</summary>
    public SampleResult Result(FinishReason reason, ITokenizer? tokenizer)
    {
        int content = reason switch
        {
            FinishReason.Eos => Count - 1,
            FinishReason.Stop => Matcher!.ContentLength(Tokens),
            _ => Count,
        };
        string? text = Matcher?.Text ?? tokenizer?.Decode(Tokens[..content]);
        return new SampleResult(SampleIndex, Tokens.ToArray(), LogProbs.ToArray(), content, text, reason);
    }

    private void Mark(int id)
    {
        if (id >> 5 < Seen.Length)
        {
            Seen[id >> 5] |= 1 << (id & 31);
        }
    }
}
