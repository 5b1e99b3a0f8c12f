using Farm.Annotation.Data;
using Farm.Annotation.Prompts;
using Farm.Annotation.Replies;
using Farm.Core;

namespace Farm.Annotation.Baselines;

/// <summary>How an API model is prompted for AlpacaFarm's evaluation.</summary>
/// <param name="Prompts">The prompts.</param>
/// <param name="IsChat">True for the chat endpoint: the filled prompt is Chat-ML, or one user message.</param>
public sealed record BaselineOptions(AlpacaPrompts Prompts, bool IsChat)
{
    /// <summary>How replies are drawn; AlpacaFarm's values.</summary>
    public Decoding Decoding { get; init; } = new() { Temperature = 0.7, MaxTokens = 300, TopP = 1, FrequencyPenalty = 0, PresencePenalty = 0 };

    /// <summary>Requests in flight.</summary>
    public int MaxConcurrency { get; init; } = 5;

    /// <summary>What stands in the column <c>generator</c>; the model's name where null.</summary>
    public string? Generator { get; init; }

    /// <summary>AlpacaFarm's rule for chat models, and prompts that are chats.</summary>
    public static bool IsChatModel(string model, AlpacaPrompts prompts)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompts);
        return model.Contains("turbo", StringComparison.Ordinal) || model.Contains("gpt-4", StringComparison.Ordinal) || ChatMl.Is(prompts.WithoutInput);
    }
}

/// <summary>A row that got no output.</summary>
/// <param name="Place">The row.</param>
/// <param name="Reason">Why.</param>
public sealed record BaselineFailure(string Place, string Reason);

/// <summary>Outputs of an API model on a split, in AlpacaFarm's form.</summary>
public static class ModelBaseline
{
    // The completion endpoint takes several prompts at once.
    private const int PromptsPerRequest = 10;
    private static readonly string[] Copied = ["instruction", "input"], Described = ["dataset", "datasplit"];

    /// <summary>Reads the rows, which have instruction, input, dataset and datasplit.</summary>
    /// <exception cref="BadInputException">One of them is missing.</exception>
    public static IReadOnlyList<JsonRow> ReadRows(string path, int? maxInstances = null)
    {
        var rows = RowFile.ReadSome(path, bareWords: true);
        var kept = rows.Take(maxInstances ?? int.MaxValue).ToList();
        for (int i = 0; i < kept.Count; i++)
        {
            string place = $"{path}, row {i + 1}";
            foreach (string field in Copied[..1].Concat(Described))
            {
                _ = RowFields.Required(place, kept[i], field);
            }

            _ = RowFields.Text(place, kept[i], "input");
        }

        return kept.Count > 0 ? kept : throw new BadInputException($"{path} has no rows.");
    }

    /// <summary>Asks the model for an output to each row.</summary>
    /// <returns>The output rows, in order, without those that failed.</returns>
    /// <exception cref="BadInputException">The server refuses every request.</exception>
    public static async Task<(IReadOnlyList<JsonRow> Outputs, IReadOnlyList<BaselineFailure> Failures)> RunAsync(
        Respondent model, string path, IReadOnlyList<JsonRow> rows, BaselineOptions options, Action? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(options);
        var outputs = new JsonRow?[rows.Count];
        var failures = new BaselineFailure?[rows.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, rows.Count),
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, options.MaxConcurrency) * (options.IsChat ? 1 : PromptsPerRequest), CancellationToken = cancellation },
            async (i, token) =>
            {
                var row = rows[i];
                string text = options.Prompts.Format(row.Text("instruction")!, row.Text("input"));
                var reply = await model.AskAsync(ToPrompt(text, options.IsChat), options.Decoding, token).ConfigureAwait(false);
                if (reply.Failure is { } failure)
                {
                    failures[i] = new BaselineFailure($"{path}, row {i + 1}", $"{failure.Code}: {failure.Detail}");
                }
                else
                {
                    outputs[i] = Output(row, reply.Text, options.Generator ?? model.Model);
                }

                progress?.Invoke();
            }).ConfigureAwait(false);
        return ([.. outputs.OfType<JsonRow>()], [.. failures.OfType<BaselineFailure>()]);
    }

    private static Prompt ToPrompt(string text, bool isChat) =>
        !isChat ? Prompt.Plain(text)
        : ChatMl.Is(text) ? new Prompt([.. ChatMl.Parse(text).Select(m => new PromptMessage(m.Role, m.Content))], null)
        : Prompt.Chat(text);

    private static JsonRow Output(JsonRow row, string text, string generator)
    {
        var output = new JsonRow();
        foreach (string field in Copied)
        {
            output[field] = row.TryGet(field, out var value) ? value : JsonRow.Value("");
        }

        output.Set("output", text);
        output.Set("generator", generator);
        foreach (string field in Described)
        {
            output[field] = row[field];
        }

        return output;
    }
}
