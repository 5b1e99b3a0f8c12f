using Farm.Annotation.Data;
using Farm.Annotation.Replies;
using Farm.Core;

namespace Farm.Annotation.Baselines;

/// <summary>One of the two models of a comparison.</summary>
/// <param name="Model">The model.</param>
/// <param name="Format">How it takes a question; null for a server that takes chats.</param>
/// <param name="System">The system message; null for none.</param>
/// <param name="Decoding">How replies are drawn.</param>
public sealed record ComparedModel(Respondent Model, ChatFormat? Format, string? System, Decoding Decoding)
{
    /// <summary>The question as the model takes it.</summary>
    public Prompt Prompt(string question) => Format is null ? Replies.Prompt.Chat(question, System) : Format.Format(question, System);

    /// <summary>The decoding, with what ends an answer in the model's format.</summary>
    public Decoding Drawn => Format is { Stop.Count: > 0 } && Decoding.Stop.Count == 0 ? Decoding with { Stop = Format.Stop } : Decoding;
}

/// <summary>Asks two models the same questions and keeps both answers side by side, as pairs that a judge or people can compare.</summary>
public static class ModelComparison
{
    /// <summary>Runs the comparison. The rows get <c>generator_1</c>, <c>output_1</c>, <c>generator_2</c> and <c>output_2</c> after the fields they have.</summary>
    /// <param name="path">The file of the rows, for messages.</param>
    /// <param name="rows">Rows with an instruction and perhaps an input.</param>
    /// <param name="first">The first model.</param>
    /// <param name="second">The second model.</param>
    /// <param name="maxConcurrency">Rows in flight.</param>
    /// <param name="progress">Called after each row.</param>
    /// <param name="cancellation">Stops between requests.</param>
    /// <returns>The pairs in order, without rows where a model gave no answer.</returns>
    /// <exception cref="BadInputException">A row has no instruction, or a server refuses every request.</exception>
    public static async Task<(IReadOnlyList<JsonRow> Pairs, IReadOnlyList<BaselineFailure> Failures)> RunAsync(
        string path, IReadOnlyList<JsonRow> rows, ComparedModel first, ComparedModel second, int maxConcurrency, Action? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        string[] questions = [.. rows.Select((row, i) => Question($"{path}, row {i + 1}", row))];
        var pairs = new JsonRow?[rows.Count];
        var failures = new BaselineFailure?[rows.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, rows.Count),
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, maxConcurrency), CancellationToken = cancellation },
            async (i, token) =>
            {
                var asked = new[] { first, second }.Select(m => m.Model.AskAsync(m.Prompt(questions[i]), m.Drawn, token)).ToArray();
                var replies = await Task.WhenAll(asked).ConfigureAwait(false);
                int failed = Array.FindIndex(replies, r => r.Failure is not null);
                if (failed >= 0)
                {
                    var failure = replies[failed].Failure!;
                    failures[i] = new BaselineFailure($"{path}, row {i + 1}", $"{(failed == 0 ? first : second).Model.Model}: {failure.Code}: {failure.Detail}");
                }
                else
                {
                    var pair = rows[i].Copy();
                    pair.Set("generator_1", first.Model.Model);
                    pair.Set("output_1", replies[0].Text.Trim());
                    pair.Set("generator_2", second.Model.Model);
                    pair.Set("output_2", replies[1].Text.Trim());
                    pairs[i] = pair;
                }

                progress?.Invoke();
            }).ConfigureAwait(false);
        return ([.. pairs.OfType<JsonRow>()], [.. failures.OfType<BaselineFailure>()]);
    }

    private static string Question(string place, JsonRow row)
    {
        string instruction = RowFields.Required(place, row, "instruction");
        return RowFields.Text(place, row, "input") is { Length: > 0 } input ? $"{instruction}\n\n{input}" : instruction;
    }
}
