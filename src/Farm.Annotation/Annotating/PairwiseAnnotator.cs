using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Core;

namespace Farm.Annotation.Annotating;

/// <summary>Annotates pairs of outputs by one judge or a pool of judges.</summary>
public sealed class PairwiseAnnotator
{
    private readonly IReadOnlyList<IPairwiseJudge> _pool;
    private readonly AnnotatorOptions _options;

    /// <summary>An annotator with one judge.</summary>
    public PairwiseAnnotator(IPairwiseJudge judge, AnnotatorOptions? options = null)
        : this([judge], options)
    {
    }

    /// <summary>An annotator with a pool: each row is judged by the one that its instruction and the seed choose.</summary>
    /// <exception cref="BadInputException">An option is out of its range, the pool is empty, or a name comes twice.</exception>
    public PairwiseAnnotator(IReadOnlyList<IPairwiseJudge> pool, AnnotatorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(pool);
        _pool = pool;
        _options = options ?? new AnnotatorOptions();
        if (pool.Count == 0)
        {
            throw new BadInputException("The pool has no judges.");
        }

        if (pool.GroupBy(j => j.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new BadInputException($"The pool has two judges with the name '{twice.Key}'.");
        }

        if (_options.LabelFlip is { } flip && !(flip is >= 0 and <= 0.5))
        {
            throw new BadInputException(FormattableString.Invariant($"The probability of a flipped label must be from 0 to 0.5, not {flip}."));
        }

        if (_options.MaxConcurrency < 1)
        {
            throw new BadInputException($"There must be at least 1 request in flight, not {_options.MaxConcurrency}.");
        }
    }

    /// <summary>Annotates all pairs.</summary>
    /// <returns>One result for each row, in the order of the rows.</returns>
    public async Task<IReadOnlyList<AnnotatedPair>> AnnotatePairsAsync(IEnumerable<PairRow> rows, CancellationToken cancellationToken = default)
    {
        var results = new List<AnnotatedPair>();
        await foreach (var result in AnnotateAsync(rows, cancellationToken).ConfigureAwait(false))
        {
            results.Add(result);
        }

        return [.. results.OrderBy(r => r.Index)];
    }

    /// <summary>Annotates pairs and gives the results as they arrive, in any order; <see cref="AnnotatedPair.Index"/> says which they are.</summary>
    /// <exception cref="BadInputException">No request can succeed: the key is refused, the model is unknown, the prompt cannot be sent.</exception>
    /// <exception cref="Completions.CostLimitException">The run could go beyond its limit; requests in flight were waited for and kept.</exception>
    public async IAsyncEnumerable<AnnotatedPair> AnnotateAsync(IEnumerable<PairRow> rows, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var results = Channel.CreateUnbounded<AnnotatedPair>(new UnboundedChannelOptions { SingleReader = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var run = new AnnotationRun(_pool, _options, results.Writer, stop.Token);
        var work = Task.Run(() => run.ExecuteAsync(rows), CancellationToken.None);
        try
        {
            await foreach (var result in results.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                yield return result;
            }
        }
        finally
        {
            // A caller that stops early must not leave requests behind.
            await stop.CancelAsync().ConfigureAwait(false);
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
