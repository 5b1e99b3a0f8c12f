using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Farm.Annotation.Replies;
using Farm.Core;

namespace Farm.Annotation.UltraFeedback;

/// <summary>Rates the four completions of each record together, one aspect at a time, shown in a random order that is recorded and undone.</summary>
public sealed class UltraFeedbackAnnotator(Respondent judge, UltraFeedbackOptions options)
{
    private const int Shown = UltraFeedbackTemplates.TextsShown, AllOrders = 24;
    private const string OrdersField = "annotation_orders", FailuresField = "annotation_failures";

    // The values of the published annotation.
    private static readonly Decoding Decoding = new() { MaxTokens = 500, Temperature = 0, TopP = 0.6, FrequencyPenalty = 0, PresencePenalty = 0 };

    /// <summary>
    /// Rates the records in place. An aspect whose reply cannot be read in all attempts is left out and recorded in <c>annotation_failures</c>.
    /// </summary>
    /// <param name="records">The records.</param>
    /// <param name="progress">Called after each aspect of a record.</param>
    /// <param name="cancellation">Stops between requests.</param>
    /// <returns>What failed.</returns>
    /// <exception cref="BadInputException">A record has not four completions, or the server refuses every request.</exception>
    public async Task<IReadOnlyList<UltraFeedbackFailure>> AnnotateAsync(IReadOnlyList<UltraFeedbackRecord> records, Action? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(records);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Rounds, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Rounds, AllOrders);
        foreach (var record in records)
        {
            if (record.Completions.Count != Shown)
            {
                throw new BadInputException($"{record.Place}, field 'completions': has {record.Completions.Count} completions where the rubrics show {Shown}.");
            }

            _ = record.Completions.Sum(c => c.Response.Length);
        }

        var work = records.SelectMany(r => options.Aspects.Select(a => (Record: r, Aspect: a)))
            .Where(w => options.Overwrite || w.Record.Completions.Any(c => c.Ratings(w.Aspect).Count == 0)).ToList();
        var failures = new UltraFeedbackFailure?[work.Count];
        await Parallel.ForEachAsync(
            work.Index(),
            new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, options.MaxConcurrency), CancellationToken = cancellation },
            async (w, token) =>
            {
                failures[w.Index] = await RateAsync(w.Item.Record, w.Item.Aspect, token).ConfigureAwait(false);
                progress?.Invoke();
            }).ConfigureAwait(false);
        foreach (var record in work.Select(w => w.Record).Distinct())
        {
            InOrder(record);
        }

        return [.. failures.OfType<UltraFeedbackFailure>()];
    }

    /// <summary>The orders in which an aspect's completions are shown: element i of an order is the completion shown as text i + 1.</summary>
    public static IReadOnlyList<int[]> Orders(string instruction, Aspect aspect, int seed, int rounds)
    {
        var orders = new List<int[]>();
        for (int draw = 0; orders.Count < Math.Min(rounds, AllOrders); draw++)
        {
            byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"order\0{aspect.Name()}\0{seed}\0{draw}\0{instruction}")));
            int[] order = [0, 1, 2, 3];
            for (int i = Shown - 1; i > 0; i--)
            {
                int j = (int)(BitConverter.ToUInt64(hash, 8 * (i - 1)) % (ulong)(i + 1));
                (order[i], order[j]) = (order[j], order[i]);
            }

            if (!orders.Any(o => o.SequenceEqual(order)))
            {
                orders.Add(order);
            }
        }

        return orders;
    }

    /// <summary>Puts what was added in the order of the aspects, so that a file does not hang on which reply came first.</summary>
    private static void InOrder(UltraFeedbackRecord record)
    {
        foreach (var completion in record.Completions)
        {
            InOrder(completion.Node["annotations"] as JsonObject);
        }

        InOrder(record.Node[OrdersField] as JsonObject);
        if (record.Node[FailuresField] is JsonArray failed)
        {
            var sorted = failed.OrderBy(f => Aspects.Parse(f?["aspect"]?.ToString() ?? string.Empty)).ToList();
            failed.Clear();
            sorted.ForEach(failed.Add);
        }
    }

    private static void InOrder(JsonObject? byAspect)
    {
        foreach (string name in Aspects.All.Select(a => a.Name()))
        {
            if (byAspect?[name] is { } value)
            {
                byAspect.Remove(name);
                byAspect[name] = value;
            }
        }
    }

    /// <summary>Rates one aspect; what failed, or null.</summary>
    private async Task<UltraFeedbackFailure?> RateAsync(UltraFeedbackRecord record, Aspect aspect, CancellationToken cancellation)
    {
        IReadOnlyList<int[]> orders;
        lock (record.Node)
        {
            orders = Orders(record.Instruction, aspect, options.Seed, options.Rounds);
        }

        var ratings = Enumerable.Range(0, Shown).Select(_ => new List<AspectRating>()).ToArray();
        foreach (int[] order in orders)
        {
            var (shown, failure) = await AskAsync(record, aspect, order, cancellation).ConfigureAwait(false);
            if (failure is not null)
            {
                lock (record.Node)
                {
                    Failures(record.Node).Add(new JsonObject { ["aspect"] = aspect.Name(), ["reason"] = failure.Reason, ["reply"] = failure.Reply });
                }

                return failure;
            }

            for (int i = 0; i < Shown; i++)
            {
                ratings[order[i]].Add(shown![i]);
            }
        }

        // Aspects of one record are rated side by side, and JSON nodes are not safe for that.
        lock (record.Node)
        {
            for (int i = 0; i < Shown; i++)
            {
                record.Completions[i].SetRatings(aspect, ratings[i]);
            }

            if (record.Node[OrdersField] is not JsonObject recorded)
            {
                record.Node[OrdersField] = recorded = [];
            }

            recorded[aspect.Name()] = new JsonArray([.. orders.Select(o => (JsonNode)new JsonArray([.. o.Select(i => (JsonNode)JsonValue.Create(i))]))]);
            if (record.Node[FailuresField] is JsonArray old)
            {
                foreach (var failed in old.Where(f => f?["aspect"]?.ToString() == aspect.Name()).ToList())
                {
                    old.Remove(failed);
                }

                if (old.Count == 0)
                {
                    record.Node.Remove(FailuresField);
                }
            }
        }

        return null;
    }

    private async Task<(IReadOnlyList<AspectRating>? Ratings, UltraFeedbackFailure? Failure)> AskAsync(UltraFeedbackRecord record, Aspect aspect, int[] order, CancellationToken cancellation)
    {
        Prompt prompt;
        lock (record.Node)
        {
            string[] texts = [.. order.Select(i => record.Completions[i].Response)];
            prompt = Prompt.Chat(options.Templates.ForAspect(aspect, record.Instruction, texts, WorldKnowledge.Of(record)), options.Templates.System);
        }

        string? reason = null, text = null;
        for (int attempt = 0; attempt < options.Attempts; attempt++)
        {
            var reply = await judge.AskAsync(prompt, Decoding, cancellation).ConfigureAwait(false);
            if (reply.Failure is { } failure)
            {
                // The client has tried again already whatever can be tried again.
                return (null, new UltraFeedbackFailure(record.Place, aspect.Name(), $"{failure.Code}: {failure.Detail}", null));
            }

            text = reply.Text;
            if (AspectReply.Parse(aspect, text, Shown, out reason) is { } ratings)
            {
                return (ratings, null);
            }
        }

        return (null, new UltraFeedbackFailure(record.Place, aspect.Name(), $"{reason} (after {options.Attempts} attempts)", text));
    }

    private static JsonArray Failures(JsonObject node)
    {
        if (node[FailuresField] is not JsonArray failures)
        {
            node[FailuresField] = failures = [];
        }

        return failures;
    }
}
