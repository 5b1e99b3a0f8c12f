using System.Globalization;
using Farm.Annotation.Completions;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cli.Progress;

namespace Farm.Cli.Verbs;

/// <summary>What verbs that ask a model have in common: progress, stopping, and the closing lines.</summary>
internal static class AskingRun
{
    /// <summary>Runs work under a progress bar; a limit of cost that is reached stops the run like Ctrl+C does.</summary>
    /// <param name="title">What is done.</param>
    /// <param name="total">Steps.</param>
    /// <param name="server">The server.</param>
    /// <param name="work">The work; its argument is to be called after each step, from any thread.</param>
    /// <param name="cancellation">Stops the work.</param>
    public static T Run<T>(string title, int total, ModelServer server, Func<Action, Task<T>> work, CancellationToken cancellation) => Run(title, total, server.Ledger, server.JournalPath, work, cancellation);

    /// <summary>The same, with the ledger whose tokens are shown and the file that keeps the replies.</summary>
    public static T Run<T>(string title, int total, CostLedger ledger, string journal, Func<Action, Task<T>> work, CancellationToken cancellation)
    {
        T result = default!;
        using var told = Interruption.Tell(cancellation);
        try
        {
            ProgressRunner.Run(title, 0, total, progress =>
            {
                object gate = new();
                int done = 0;
                result = work(() =>
                {
                    lock (gate)
                    {
                        progress.Report(++done, (long)ledger.Tokens);
                    }
                }).GetAwaiter().GetResult();
            });
        }
        catch (CostLimitException e)
        {
            throw new InterruptedRunException($"Stopped by --max-cost: {e.Message} The replies so far are kept in {journal}; the same command with a higher --max-cost goes on.");
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedRunException($"Interrupted: the replies so far are kept in {journal}; the same command goes on.");
        }

        return result;
    }

    /// <summary>Says what was done: on standard output as JSON, or in words.</summary>
    public static void Report(bool json, string output, ModelServer? server, IReadOnlyList<(string Name, int Count)> counts, IReadOnlyList<(string Place, string Reason)> failures)
    {
        foreach (var (place, reason) in failures.Take(json ? 0 : 10))
        {
            Console.Error.WriteLine($"{place}: {reason}");
        }

        if (!json && failures.Count > 10)
        {
            Console.Error.WriteLine($"... and {failures.Count - 10} more failures.");
        }

        if (!json)
        {
            string cost = server is null ? "" : server.HasPrice
                ? string.Create(CultureInfo.InvariantCulture, $"; {server.Ledger.Requests} requests, {server.Ledger.Tokens:0} tokens, {server.Ledger.Spent:0.####} US dollars")
                : string.Create(CultureInfo.InvariantCulture, $"; {server.Ledger.Requests} requests, {server.Ledger.Tokens:0} tokens, cost unknown");
            Console.Out.WriteLine($"{string.Join(", ", counts.Select(c => $"{c.Count} {c.Name}"))}: {output}{cost}");
            return;
        }

        StandardOutput.WriteLine(w =>
        {
            w.WriteStartObject();
            w.WriteString("output", output);
            foreach (var (name, count) in counts)
            {
                w.WriteNumber(name.Replace(' ', '_'), count);
            }

            if (server is not null)
            {
                w.WriteNumber("requests", server.Ledger.Requests);
                w.WriteNumber("tokens", server.Ledger.Tokens);
                w.WritePropertyName("cost");
                if (server.HasPrice)
                {
                    w.WriteNumberValue(server.Ledger.Spent);
                }
                else
                {
                    w.WriteNullValue();
                }
            }

            w.WriteStartArray("failures");
            foreach (var (place, reason) in failures)
            {
                w.WriteStartObject();
                w.WriteString("place", place);
                w.WriteString("reason", reason);
                w.WriteEndObject();
            }

            w.WriteEndArray();
            w.WriteEndObject();
        });
    }
}
