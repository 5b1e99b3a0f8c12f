using System.Globalization;
using System.Threading.Channels;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Farm.Annotation.Python;
using Farm.Core;

namespace Farm.Annotation.Annotating;

/// <summary>One run over some rows: decides what must be asked, asks, and gives results away as they come.</summary>
internal sealed class AnnotationRun(IReadOnlyList<IPairwiseJudge> pool, AnnotatorOptions options, ChannelWriter<AnnotatedPair> results, CancellationToken stop)
{
    private readonly int _inFlight = options.MaxConcurrency * pool.Min(j => j.PromptsPerRequest);
    private readonly PendingPairs _pending = new();
    private Exception? _fatal;

    /// <summary>Runs; the channel is completed at its end, with the error if there was one.</summary>
    public async Task ExecuteAsync(IEnumerable<PairRow> rows)
    {
        // In-flight requests may have been paid: after a stop they get some time to come home.
        using var abort = new CancellationTokenSource();
        using var registration = stop.Register(() => abort.CancelAfter(options.Grace));
        // While as many requests as may be are in flight, as many others go to or come from the journal. One at a time keep the order of the rows.
        using var turns = new SemaphoreSlim(_inFlight);
        var workers = new ParallelOptions { MaxDegreeOfParallelism = _inFlight == 1 ? 1 : 2 * _inFlight };
        try
        {
            await Parallel.ForEachAsync(Plan(rows), workers, async (work, _) =>
            {
                try
                {
                    await AskAsync(work, turns, abort.Token).ConfigureAwait(false);
                }
                catch (Exception e)
                {
                    // The first error ends the run; what is in flight goes on to its end.
                    Interlocked.CompareExchange(ref _fatal, e, null);
                }
            }).ConfigureAwait(false);
            results.Complete(_fatal ?? (stop.IsCancellationRequested ? new OperationCanceledException(stop) : null));
        }
        catch (Exception e)
        {
            results.Complete(e);
        }
    }

    /// <summary>Goes through the rows and gives out what must be asked; what needs no asking goes to the results at once.</summary>
    private IEnumerable<Work> Plan(IEnumerable<PairRow> rows)
    {
        int index = 0;
        foreach (var chunk in rows.Chunk(options.ChunkSize))
        {
            var waiting = new List<AskedPair>[pool.Count];
            foreach (var row in chunk)
            {
                if (stop.IsCancellationRequested || Volatile.Read(ref _fatal) is not null)
                {
                    yield break;
                }

                int judge = pool.Count == 1 ? 0 : OutputSwap.Annotator(row, options.Seed, pool.Count);
                if (Decide(index++, row, pool[judge]) is not { } asked)
                {
                    continue;
                }

                if (pool[judge].BatchSize == 1)
                {
                    yield return new Work(pool[judge], [asked]);
                }
                else
                {
                    (waiting[judge] ??= []).Add(asked);
                }
            }

            for (int judge = 0; judge < pool.Count; judge++)
            {
                foreach (var batch in waiting[judge] is { } list ? Batches(pool[judge], list) : [])
                {
                    yield return new Work(pool[judge], batch);
                }
            }
        }
    }

    /// <summary>Fills the rows of a chunk up to whole batches and shuffles them, as alpaca_eval does.</summary>
    private IEnumerable<AskedPair?[]> Batches(IPairwiseJudge judge, List<AskedPair> list)
    {
        int padded = (list.Count + judge.BatchSize - 1) / judge.BatchSize * judge.BatchSize;
        if (padded != list.Count && judge.Padding is null)
        {
            throw new BadInputException($"Annotator '{judge.Name}' takes {judge.BatchSize} rows at a time and fills up no prompt (is_add_default_processors: false): {list.Count} rows do not come out even.");
        }

        int[] order = judge.IsShuffle ? NumpyRandom.Permutation((uint)(options.Seed ?? 0), padded) : [.. Enumerable.Range(0, padded)];
        return order.Select(i => i < list.Count ? list[i] : null).Chunk(judge.BatchSize);
    }

    /// <summary>What must be asked for a row; null where nothing must.</summary>
    private AskedPair? Decide(int index, PairRow row, IPairwiseJudge judge)
    {
        if (options.SkipAnnotated && row.Preference is { } known)
        {
            Emit(new AnnotatedPair(index, row, row.Fields.Text("annotator"), known, PreferenceOrigin.Imported));
            return null;
        }

        if (row.Output1 == row.Output2)
        {
            Emit(new AnnotatedPair(index, row, judge.Name, 1.5, PreferenceOrigin.IdenticalOutputs).By(judge));
            return null;
        }

        if (options.LabelFlip is { } flip and > 0 && OutputSwap.Noise(row, options.Seed, flip) is { } label)
        {
            Emit(new AnnotatedPair(index, row, judge.Name, options.LabelNoise == LabelNoiseMode.Return ? label : null, PreferenceOrigin.Noise).By(judge));
            return null;
        }

        var key = PairKey.Of(row.Instruction, row.Input, row.Output1, row.Output2, judge.Name, judge.Identity, options.Seed);
        bool switched = OutputSwap.IsSwitched(judge, row, options.Seed);
        var asked = new AskedPair(index, row, key, switched);
        if (_pending.TryJoin(asked, out var result))
        {
            if (result is not null)
            {
                Emit(result with { Index = index, Row = row });
            }

            return null;
        }

        if (options.AvoidReannotations && options.Journal?.Find(key) is { } kept && !(options.RetryFailed && KeptReplies.IsFailure(kept, judge)))
        {
            Emit(KeptReplies.Result(asked, judge, kept));
            return null;
        }

        _pending.Begin(key);
        return asked;
    }

    private async Task AskAsync(Work work, SemaphoreSlim turns, CancellationToken cancellationToken)
    {
        var judge = work.Judge;
        var request = judge.Prepare([.. work.Pairs.Select(p => p is null ? judge.Padding! : p.Shown)]);
        long call = options.Journal?.NextCall() ?? 0;
        if (options.Journal is { } journal)
        {
            await journal.AppendRequestAsync(call, judge.Name, judge.Identity, request.Body, [.. work.Pairs.Select((p, i) => p is null ? Padding(judge, i) : Kept(judge, p, i))]).ConfigureAwait(false);
        }

        await turns.WaitAsync(cancellationToken).ConfigureAwait(false);
        JudgeReply reply;
        double seconds;
        try
        {
            if (stop.IsCancellationRequested || Volatile.Read(ref _fatal) is not null)
            {
                return;
            }

            long start = options.Clock.GetTimestamp();
            reply = await judge.AskAsync(request, cancellationToken).ConfigureAwait(false);
            seconds = options.Clock.GetElapsedTime(start).TotalSeconds;
        }
        finally
        {
            turns.Release();
        }

        var verdicts = reply.Raw is { } raw ? judge.Read(raw, work.Pairs.Count) : [.. work.Pairs.Select(_ => new Verdict(null, reply.Failure))];
        string date = options.Clock.GetLocalNow().ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        double?[] preferences = [.. work.Pairs.Select((p, i) => p is null ? null : AnnotatedPair.Unswitch(verdicts[i].Preference, p.IsSwitched))];
        if (options.Journal is not null)
        {
            await options.Journal.AppendReplyAsync(call, reply, seconds, date, preferences).ConfigureAwait(false);
        }

        for (int i = 0; i < work.Pairs.Count; i++)
        {
            if (work.Pairs[i] is { } asked)
            {
                Finish(asked, new AnnotatedPair(asked.Index, asked.Row, judge.Name, preferences[i], PreferenceOrigin.Model)
                {
                    Failure = preferences[i] is null ? verdicts[i].Failure ?? reply.Failure : null,
                    IsSwitched = asked.IsSwitched,
                    Raw = reply.Raw,
                    Price = reply.Price / work.Pairs.Count,
                    Seconds = seconds / work.Pairs.Count,
                    Date = date,
                    Columns = reply.Raw is { } r ? judge.Columns(r, preferences[i]) : [],
                }.By(judge));
            }
        }
    }

    private void Finish(AskedPair asked, AnnotatedPair result)
    {
        // With a journal later rows of the pair are found there.
        var waiting = _pending.Finish(asked.Key, result, forget: options.Journal is { } && options.AvoidReannotations && !options.RetryFailed);
        Emit(result);
        foreach (var other in waiting)
        {
            Emit(result with { Index = other.Index, Row = other.Row });
        }
    }

    private KeptPair Kept(IPairwiseJudge judge, AskedPair p, int position) =>
        new(p.Key, position, p.IsSwitched, options.Seed, judge.Name, p.Row.Instruction, p.Row.Input, p.Row.Output1, p.Row.Output2);

    private KeptPair Padding(IPairwiseJudge judge, int position) =>
        new(null, position, false, options.Seed, judge.Name, judge.Padding!.Instruction, null, judge.Padding.Output1, judge.Padding.Output2);

    private void Emit(AnnotatedPair result) => results.TryWrite(result);

    /// <summary>Pairs for one request; null is the dummy.</summary>
    private sealed record Work(IPairwiseJudge Judge, IReadOnlyList<AskedPair?> Pairs);
}
