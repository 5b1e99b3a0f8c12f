using System.Collections.Concurrent;
using Farm.Annotation.Replies;

namespace Farm.Annotation.UltraFeedback;

/// <summary>Asks for a critique of each completion with an overall score, and asks again for scores that the correction doubts.</summary>
public sealed class CritiqueAnnotator(Respondent judge, UltraFeedbackOptions options)
{
    private const string Calibration = "verbalized_calibration", Example = "For instance, ";
    private static readonly Decoding Whole = new() { MaxTokens = 1024, Temperature = 0, TopP = 0.6, FrequencyPenalty = 0, PresencePenalty = 0 };
    private static readonly Decoding OneToken = Whole with { MaxTokens = 1 };

    /// <summary>Writes critiques and overall scores into the completions that have none.</summary>
    /// <returns>What failed.</returns>
    public Task<IReadOnlyList<UltraFeedbackFailure>> CritiqueAsync(IReadOnlyList<UltraFeedbackRecord> records, Action? progress, CancellationToken cancellation) =>
        EachAsync(records, c => options.Overwrite || c.Critique is null, CritiqueAsync, progress, cancellation);

    /// <summary>Applies <see cref="OverallScoreFix"/>, asking for the scores that are in doubt again, on the critique that is there.</summary>
    /// <returns>What failed, and how many completions each action met.</returns>
    public async Task<(IReadOnlyList<UltraFeedbackFailure> Failures, IReadOnlyDictionary<ScoreFix, int> Actions)> FixAsync(
        IReadOnlyList<UltraFeedbackRecord> records, Action? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(records);
        var actions = records.SelectMany(r => r.Completions).ToDictionary(c => c, OverallScoreFix.Apply);
        var failures = await EachAsync(records, c => actions[c] == ScoreFix.AskAgain, AskAgainAsync, progress, cancellation).ConfigureAwait(false);
        return (failures, actions.Values.CountBy(a => a).ToDictionary());
    }

    /// <summary>The instruction as the critic sees it: with the principle that the model was told, but for the example that one principle comes with.</summary>
    internal static string Instruction(UltraFeedbackRecord record, UltraFeedbackCompletion completion)
    {
        if (completion.CustomSystemPrompt is not { Length: > 0 } note)
        {
            return record.Instruction;
        }

        int example = completion.Principle == Calibration ? note.IndexOf(Example, StringComparison.Ordinal) : -1;
        return $"{record.Instruction}\nNote: {(example < 0 ? note : note[..example].Trim())}";
    }

    private async Task<IReadOnlyList<UltraFeedbackFailure>> EachAsync(
        IReadOnlyList<UltraFeedbackRecord> records,
        Func<UltraFeedbackCompletion, bool> wanted,
        Func<UltraFeedbackRecord, UltraFeedbackCompletion, CancellationToken, Task<UltraFeedbackFailure?>> ask,
        Action? progress,
        CancellationToken cancellation)
    {
        var failures = new ConcurrentQueue<UltraFeedbackFailure>();
        var work = records.SelectMany(r => r.Completions.Select(c => (Record: r, Completion: c))).Where(w => wanted(w.Completion)).ToList();
        await Parallel.ForEachAsync(
            work,
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, options.MaxConcurrency), CancellationToken = cancellation },
            async (w, token) =>
            {
                if (await ask(w.Record, w.Completion, token).ConfigureAwait(false) is { } failure)
                {
                    failures.Enqueue(failure);
                }

                progress?.Invoke();
            }).ConfigureAwait(false);
        return [.. failures];
    }

    private async Task<UltraFeedbackFailure?> CritiqueAsync(UltraFeedbackRecord record, UltraFeedbackCompletion completion, CancellationToken cancellation)
    {
        Prompt prompt;
        lock (record.Node)
        {
            // JSON nodes are read lazily, which is not safe side by side.
            prompt = Prompt.Chat(options.Templates.ForFeedback(Instruction(record, completion), completion.Response), options.Templates.FeedbackSystem);
        }

        string? reason = null, text = null;
        for (int attempt = 0; attempt < options.Attempts; attempt++)
        {
            var reply = await judge.AskAsync(prompt, Whole, cancellation).ConfigureAwait(false);
            if (reply.Failure is { } failure)
            {
                return new UltraFeedbackFailure(completion.Place, "critique", $"{failure.Code}: {failure.Detail}", null);
            }

            text = reply.Text;
            if (CritiqueReply.Parse(text, out reason) is { } critique)
            {
                lock (record.Node)
                {
                    completion.Critique = critique.Text;
                    completion.OverallScore = critique.Score;
                }

                return null;
            }
        }

        return new UltraFeedbackFailure(completion.Place, "critique", $"{reason} (after {options.Attempts} attempts)", text);
    }

    private async Task<UltraFeedbackFailure?> AskAgainAsync(UltraFeedbackRecord record, UltraFeedbackCompletion completion, CancellationToken cancellation)
    {
        string begun;
        lock (record.Node)
        {
            begun = $"{options.Templates.ForFeedback(Instruction(record, completion), completion.Response).TrimEnd()}\n{completion.Critique}\nOverall Score: ";
        }

        string? text = null;
        for (int attempt = 0; attempt < options.Attempts; attempt++)
        {
            var reply = await judge.AskAsync(Prompt.Chat(begun, options.Templates.FeedbackSystem), OneToken, cancellation).ConfigureAwait(false);
            if (reply.Failure is { } failure)
            {
                return new UltraFeedbackFailure(completion.Place, "overall_score", $"{failure.Code}: {failure.Detail}", null);
            }

            text = reply.Text;
            if (CritiqueReply.ParseScore(text) is { } score)
            {
                lock (record.Node)
                {
                    completion.OverallScore = score;
                }

                return null;
            }
        }

        return new UltraFeedbackFailure(completion.Place, "overall_score", $"the reply is no number from 1 to 10 (after {options.Attempts} attempts)", text);
    }
}
