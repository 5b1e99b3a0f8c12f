using Farm.Annotation.Completions;
using Farm.Annotation.Replies;

namespace Farm.Annotation.SparseFeedback;

/// <summary>A row that came to nothing.</summary>
/// <param name="Place">The row.</param>
/// <param name="Reason">Why.</param>
/// <param name="Replies">The replies that there were.</param>
public sealed record SparseFailure(string Place, string Reason, IReadOnlyList<string> Replies);

/// <summary>Gets ratings and rankings from a judge. Results come in the order of the rows; a row without one is a failure, never a number.</summary>
public sealed class SparseAnnotator(Respondent judge, SparsePrompts prompts, Decoding decoding, int maxConcurrency)
{
    /// <summary>Rates responses.</summary>
    /// <exception cref="Core.BadInputException">The server refuses every request.</exception>
    public Task<(IReadOnlyList<SparseRating> Results, IReadOnlyList<SparseFailure> Failures)> RateAsync(IReadOnlyList<SparseResponse> rows, Action? progress, CancellationToken cancellation) =>
        EachAsync<SparseResponse, SparseRating>(rows, RateAsync, progress, cancellation);

    /// <summary>Compares pairs, each in both orders.</summary>
    /// <exception cref="Core.BadInputException">The server refuses every request.</exception>
    public Task<(IReadOnlyList<SparseRanking> Results, IReadOnlyList<SparseFailure> Failures)> RankAsync(IReadOnlyList<SparsePair> rows, Action? progress, CancellationToken cancellation) =>
        EachAsync<SparsePair, SparseRanking>(rows, RankAsync, progress, cancellation);

    private async Task<(SparseRating? Result, SparseFailure? Failure)> RateAsync(SparseResponse row, CancellationToken cancellation)
    {
        var reply = await AskAsync(prompts.Rating(row.Instruction, row.Input, row.Response), cancellation).ConfigureAwait(false);
        if (reply.Failure is { } failure)
        {
            return (null, new SparseFailure(row.Place, $"{failure.Code}: {failure.Detail}", []));
        }

        return SparseReplies.Rating(reply.Text, out string? reason) is { } score
            ? (new SparseRating(row.Place, row.Instruction, row.Input, row.Response, score, reply.Text.Split('\n')[0].TrimEnd('\r')), null)
            : (null, new SparseFailure(row.Place, reason!, [reply.Text]));
    }

    private async Task<(SparseRanking? Result, SparseFailure? Failure)> RankAsync(SparsePair row, CancellationToken cancellation)
    {
        var asked = AskAsync(prompts.Ranking(row.Instruction, row.Input, row.Response1, row.Response2), cancellation);
        // The two requests are the same text where the responses are: one after the other then keeps the journal's count of them.
        var first = await asked.ConfigureAwait(false);
        var second = await AskAsync(prompts.Ranking(row.Instruction, row.Input, row.Response2, row.Response1), cancellation).ConfigureAwait(false);
        string[] texts = [.. new[] { first, second }.Where(r => r.Failure is null).Select(r => r.Text)];
        if ((first.Failure ?? second.Failure) is { } failure)
        {
            return (null, new SparseFailure(row.Place, $"{failure.Code}: {failure.Detail}", texts));
        }

        return SparseReplies.Ranking(first.Text, second.Text, out string? reason) is { } verdict
            ? (new SparseRanking(row.Place, row.Instruction, row.Input, row.Response1, row.Response2, verdict), null)
            : (null, new SparseFailure(row.Place, reason!, texts));
    }

    private Task<CompletionReply> AskAsync(string text, CancellationToken cancellation) => judge.AskAsync(Prompt.Chat(text), decoding, cancellation);

    private async Task<(IReadOnlyList<TResult> Results, IReadOnlyList<SparseFailure> Failures)> EachAsync<TRow, TResult>(
        IReadOnlyList<TRow> rows, Func<TRow, CancellationToken, Task<(TResult? Result, SparseFailure? Failure)>> ask, Action? progress, CancellationToken cancellation)
        where TResult : class
    {
        var all = new (TResult? Result, SparseFailure? Failure)[rows.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, rows.Count),
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, maxConcurrency), CancellationToken = cancellation },
            async (i, token) =>
            {
                all[i] = await ask(rows[i], token).ConfigureAwait(false);
                progress?.Invoke();
            }).ConfigureAwait(false);
        return ([.. all.Select(a => a.Result).OfType<TResult>()], [.. all.Select(a => a.Failure).OfType<SparseFailure>()]);
    }
}
