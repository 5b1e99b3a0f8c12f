namespace Farm.Inference;

/// <summary>A prompt whose K/V is in the cache because some of its samples still wait or run.</summary>
internal sealed class ActivePrompt(Prompt prompt, int samples, int[] pages, int hiddenRow)
{
    private readonly SampleResult[] _results = new SampleResult[samples];
    private int _finished;

    public Prompt Prompt => prompt;

    public int Length => prompt.Ids.Length;

    /// <summary>Pages of the prompt's K/V, shared by all its samples.</summary>
    public int[] Pages => pages;

    /// <summary>Where the hidden state after the prompt's last token is kept: every sample's first token is drawn from it.</summary>
    public int HiddenRow => hiddenRow;

    /// <summary>The next sample to begin.</summary>
    public int NextSample { get; private set; }

    public bool HasWaitingSamples => NextSample < samples;

    public int BeginSample() => NextSample++;

    /// <summary>Keeps a result; true with the last one.</summary>
    public bool Finish(SampleResult result)
    {
        _results[result.SampleIndex] = result;
        return ++_finished == samples;
    }

    public PromptResult Result() => new(prompt, _results);
}
