using System.Diagnostics;
using Farm.Core;

namespace Farm.Inference;

/// <summary>
/// The state of one call of <see cref="Generator.Generate"/>. Running samples are kept in order of prompt and sample, so the samples of
/// a prompt are always neighbours and form one group of the attention plan. A step allocates nothing unless a sample begins or ends.
/// </summary>
internal sealed class GenerationRun
{
    private readonly Generator _generator;
    private readonly GenerationBuffers _buffers;
    private readonly TokenDraw _draw;
    private readonly IReadOnlyList<Prompt> _prompts;
    private readonly List<RunningSample> _running;
    private readonly List<ActivePrompt> _active = [];
    private readonly List<ActivePrompt> _toPrefill = [];
    private readonly List<ActivePrompt> _done = [];
    private readonly Stack<int> _hiddenRows = new();
    private readonly int[] _eosIds;
    private readonly int _width;
    private ActivePrompt? _newest;
    private int _nextPrompt;
    private int _promptsDone;
    private long _samplesDone;
    private long _tokens;

    public GenerationRun(Generator generator, GenerationBuffers buffers, IReadOnlyList<Prompt> prompts)
    {
        _generator = generator;
        _buffers = buffers;
        _draw = new TokenDraw(generator, buffers);
        _prompts = prompts;
        _eosIds = [.. generator.EosIds];
        _width = buffers.Plan.BatchSequences;
        _running = new List<RunningSample>(_width);
        for (int row = _width; row >= 0; row--)
        {
            _hiddenRows.Push(row);
        }
    }

    public GenerationProgress Progress => new(_promptsDone + _done.Count, _prompts.Count, _samplesDone, _tokens, _running.Count);

    /// <summary>
    /// Gives free places to the next samples in order, prompt by prompt, and prefills the prompts that begin. False when nothing is left.
    /// </summary>
    public bool Admit(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        while (_running.Count < _width && (_newest is { HasWaitingSamples: true } || TryActivate()) && TryBeginSample())
        {
        }

        if (_toPrefill.Count > 0)
        {
            Prefill(cancellation);
        }

        return _running.Count > 0;
    }

    /// <summary>Draws one token for every running sample.</summary>
    public void Step()
    {
        long start = Stopwatch.GetTimestamp();
        int count = _running.Count;
        _draw.Run(_running, Logits());
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            var sample = _running[i];
            sample.Append(_buffers.HostTokens[i], _buffers.HostLogProbs[i]);
            if (sample.Finished(_eosIds) is FinishReason reason)
            {
                Finish(sample, reason);
            }
            else
            {
                _running[kept++] = sample;
            }
        }

        _running.RemoveRange(kept, count - kept);
        _tokens += count;
        _generator.Statistics.AddStep(count, start);
    }

    /// <summary>Hands over the prompts that the last step completed.</summary>
    public void Report(Action<PromptResult> onPromptDone)
    {
        foreach (var prompt in _done)
        {
            onPromptDone(prompt.Result());
            _promptsDone++;
        }

        _done.Clear();
    }

    /// <summary>Gives back whatever is still rented, after the last step or an interruption.</summary>
    public void ReturnPages()
    {
        foreach (var sample in _running)
        {
            _buffers.Cache.Return(sample.Pages);
            _buffers.Idle.Push(sample);
        }

        foreach (var prompt in _active)
        {
            _buffers.Cache.Return(prompt.Pages);
        }

        _running.Clear();
        _active.Clear();
        _draw.Forget();
    }

    private bool TryActivate()
    {
        if (_nextPrompt == _prompts.Count)
        {
            return false;
        }

        // A prompt begins only when its first sample can begin too; else its pages would wait for nothing.
        var prompt = _prompts[_nextPrompt];
        var pages = new int[KvPool.PagesFor(prompt.Ids.Length)];
        if (pages.Length + RunningSample.PagesFor(LimitOf(prompt)) > _buffers.Cache.FreePages || !_buffers.Cache.TryRent(pages))
        {
            return false;
        }

        _newest = new ActivePrompt(prompt, _generator.Options.NumReturnSequences, pages, _hiddenRows.Pop());
        _active.Add(_newest);
        _toPrefill.Add(_newest);
        _nextPrompt++;
        return true;
    }

    private bool TryBeginSample()
    {
        var sample = _buffers.Idle.Peek();
        var matcher = _generator.Options.StopStrings.Count > 0
            ? new StopStringMatcher(_generator.Tokenizer!, _generator.Options.StopStrings)
            : null;
        if (!sample.TryBegin(_newest!, LimitOf(_newest!.Prompt), _buffers.Cache, matcher))
        {
            return false;
        }

        _running.Add(_buffers.Idle.Pop());
        return true;
    }

    private int LimitOf(Prompt prompt) => Math.Min(_generator.Options.MaxNewTokens, _generator.Model.MaxPositions - prompt.Ids.Length);

    private void Prefill(CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp(), tokens = 0;
        var packer = _buffers.Packer;
        packer.Begin(_buffers.Cache.Pool, _buffers.PromptHidden, cancellation);
        foreach (var prompt in _toPrefill)
        {
            packer.Add([], 0, prompt.Prompt.Ids, prompt.Pages, prompt.HiddenRow);
            tokens += prompt.Length;
        }

        packer.End();
        _generator.Model.Backend.Synchronize();
        _toPrefill.Clear();
        _generator.Statistics.AddPrefill(tokens, start);
    }

    /// <summary>
    /// Logits for the next token of each running sample. Samples with tokens run their newest one through the model; those that begin
    /// now, which always come last, take their prompt's hidden state.
    /// </summary>
    private Tensor Logits()
    {
        var model = _generator.Model;
        var batch = _buffers.Batch;
        var hidden = _buffers.Workspace.Hidden;
        batch.Clear();
        ActivePrompt? group = null;
        foreach (var sample in _running)
        {
            if (sample.Count == 0)
            {
                break;
            }

            if (!ReferenceEquals(sample.Prompt, group))
            {
                group = sample.Prompt;
                batch.BeginGroup(group.Length, group.Pages);
            }

            batch.Add(sample.Newest, sample.Count, sample.Pages);
        }

        if (batch.Rows > 0)
        {
            model.Forward(batch, _buffers.Cache.Pool, _buffers.Workspace);
        }

        for (int row = batch.Rows; row < _running.Count; row++)
        {
            model.Backend.Copy(_buffers.PromptHidden.SliceRows(_running[row].Prompt.HiddenRow, 1), hidden.SliceRows(row, 1));
        }

        return model.Logits(hidden.SliceRows(0, _running.Count), _buffers.Workspace).SliceColumns(0, _generator.SampledVocabulary);
    }

    private void Finish(RunningSample sample, FinishReason reason)
    {
        var result = sample.Result(reason, _generator.Tokenizer);
        _buffers.Cache.Return(sample.Pages);
        _buffers.Idle.Push(sample);
        _samplesDone++;
        var prompt = sample.Prompt;
        if (prompt.Finish(result))
        {
            _buffers.Cache.Return(prompt.Pages);
            _hiddenRows.Push(prompt.HiddenRow);
            _active.Remove(prompt);
            _done.Add(prompt);
        }
    }
}
