using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cli.Progress;
using Farm.Core;

namespace Farm.Cli.Annotation;

/// <summary>One run of a judge over pairs, from the flags to the result file and what is printed at the end.</summary>
internal sealed class AnnotationSession
{
    private readonly ParseResult _result;
    private readonly JudgeOptions _options;
    private readonly string _output;

    /// <summary>Checks the output path before anything is asked.</summary>
    public AnnotationSession(ParseResult result, JudgeOptions options, string output)
    {
        (_result, _options, _output) = (result, options, output);
        OutputFile.Check(output);
    }

    /// <summary>Annotates the rows, writes the result and prints a summary.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="source">Their file, for messages.</param>
    /// <param name="json">True prints the summary as JSON, false in words, null not at all.</param>
    /// <param name="cancellation">Stops the run; what is paid for is kept.</param>
    public int Run(IReadOnlyList<JsonRow> rows, string source, bool? json, CancellationToken cancellation)
    {
        PairRow[] pairs = [.. rows.Select((r, i) => PairRow.From(r, source, i + 1))];
        if (pairs.Length == 0)
        {
            throw new BadInputException($"{source} has no pairs.");
        }

        var ledger = _options.Ledger(_result);
        var clients = new List<ICompletionClient>();
        try
        {
            var pool = Pool(pairs, source, ledger, clients);
            bool isLocal = pool.All(j => j is FunctionJudge);
            string? journalPath = _options.Journal(_result) ?? (isLocal ? null : _output + ".journal.db");
            using var journal = journalPath is null ? null : AnnotationJournal.Open(journalPath);
            var annotator = new PairwiseAnnotator(pool, _options.Annotator(_result, journal));
            string fingerprint = Fingerprint.OfTexts(pool.SelectMany(j => new[] { j.Name, j.Identity }).Append(_options.Seed(_result).ToString(CultureInfo.InvariantCulture)).Concat(pairs.SelectMany(p => new[] { p.Instruction, p.Input ?? string.Empty, p.Output1, p.Output2 })));
            Begin(journal, fingerprint);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var results = Annotate(annotator, pairs, ledger, journal, cancellation);
            Write(results);
            journal?.EndRunAsync().GetAwaiter().GetResult();
            if (json is { } asJson)
            {
                Report(results, ledger, clock.Elapsed, journal, asJson);
            }

            return ExitCodes.Done;
        }
        finally
        {
            clients.OfType<IDisposable>().ToList().ForEach(c => c.Dispose());
        }
    }

    private IReadOnlyList<IPairwiseJudge> Pool(PairRow[] pairs, string source, CostLedger ledger, List<ICompletionClient> clients)
    {
        string judge = _options.Judge(_result);
        if (PocketJudges.Find(judge, _options.Seed(_result)) is not { } local)
        {
            return JudgePool.Create(_options.Configs(_result), Client, _options.HasEndpoint(_result), ledger, _options.LogitBias(_result));
        }

        int stranger = judge == "longest" ? -1 : Array.FindIndex(pairs, p => !PocketJudges.Knows(p.Instruction, p.Input));
        return stranger < 0 ? local : throw new BadInputException($"{source}, row {stranger + 1}, field 'instruction': is none of the pocket world, which --judge {judge} knows alone.");

        ICompletionClient Client(Farm.Annotation.Configuration.JudgeConfig config)
        {
            // One engine serves all judges: its weights are in memory once.
            if (_options.JudgeModel(_result) is null || clients.Count == 0)
            {
                clients.Add(_options.Client(_result, config));
            }

            return clients[^1];
        }
    }

    private void Begin(AnnotationJournal? journal, string fingerprint)
    {
        if (journal is null)
        {
            return;
        }

        if (_options.Resume(_result) && journal.UnfinishedRun() is { } unfinished && unfinished != fingerprint)
        {
            throw new BadInputException($"--resume: the run that {journal.Path} was interrupted in has other pairs, another judge or another seed.");
        }

        journal.BeginRunAsync(fingerprint).GetAwaiter().GetResult();
    }

    private static AnnotatedPair[] Annotate(PairwiseAnnotator annotator, PairRow[] pairs, CostLedger ledger, AnnotationJournal? journal, CancellationToken cancellation)
    {
        var results = new AnnotatedPair[pairs.Length];
        int done = 0;
        using var told = Interruption.Tell(cancellation);
        try
        {
            ProgressRunner.Run("Annotating", 0, pairs.Length, display => Collect(display).GetAwaiter().GetResult());
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedRunException(journal is null ? "Interrupted." : $"Interrupted: {done} of {pairs.Length} pairs are kept in {journal.Path}; the same command with --resume goes on.");
        }
        catch (CostLimitException e)
        {
            string kept = journal is null ? string.Empty : $"; {done} of {pairs.Length} pairs are kept in {journal.Path}, and the same command with --resume and a higher limit goes on";
            throw new InterruptedRunException(FormattableString.Invariant($"Stopped by --max-cost {e.Limit:0.######}: {ledger.Spent:0.######} US dollars are spent{kept}."));
        }

        return results;

        async Task Collect(IRunProgress display)
        {
            long last = 0;
            await foreach (var pair in annotator.AnnotateAsync(pairs, cancellation).ConfigureAwait(false))
            {
                results[pair.Index] = pair;
                done++;
                if (done == pairs.Length || TimeProvider.System.GetElapsedTime(last).TotalMilliseconds >= 200)
                {
                    last = TimeProvider.System.GetTimestamp();
                    display.Report(done, (long)ledger.Tokens);
                }
            }
        }
    }

    private void Write(IEnumerable<AnnotatedPair> results) => OutputFile.Guard(_output, () =>
    {
        string temporary = _output + ".tmp";
        try
        {
            using (var writer = new StreamWriter(temporary))
            {
                PandasJson.Write(writer, results.Select(r => r.ToRow()));
            }

            File.Move(temporary, _output, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    });

    private void Report(AnnotatedPair[] results, CostLedger ledger, TimeSpan time, AnnotationJournal? journal, bool json)
    {
        var failures = results.Where(r => r.Failure is not null).GroupBy(r => r.Failure!.Code).OrderByDescending(g => g.Count()).ToList();
        int kept = results.Count(r => r.FromJournal), annotated = results.Count(r => r.Preference is not null);
        double share = results.Where(r => r.Preference is not null).Select(r => r.Preference!.Value - 1).DefaultIfEmpty(double.NaN).Average();
        if (json)
        {
            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                w.WriteString("output", _output);
                w.WriteString("journal", journal?.Path);
                w.WriteNumber("pairs", results.Length);
                w.WriteNumber("annotated", annotated);
                w.WriteNumber("requests", ledger.Requests);
                w.WriteNumber("from_journal", kept);
                w.WriteNumber("identical_outputs", results.Count(r => r.Origin == PreferenceOrigin.IdenticalOutputs));
                w.WriteNumber("noisy_labels", results.Count(r => r.Origin == PreferenceOrigin.Noise));
                w.WriteNumber("skipped", results.Count(r => r.Origin == PreferenceOrigin.Imported));
                w.WriteStartObject("failures");
                failures.ForEach(g => w.WriteNumber(g.Key, g.Count()));
                w.WriteEndObject();
                WriteReal(w, "output_2_preferred", 100 * share);
                WriteReal(w, "cost_usd", ledger.Spent);
                WriteReal(w, "total_tokens", ledger.Tokens);
                WriteReal(w, "seconds", time.TotalSeconds);
                WriteReal(w, "pairs_per_second", results.Length / time.TotalSeconds);
                w.WriteEndObject();
            });
            return;
        }

        Console.Out.WriteLine(FormattableString.Invariant($"{annotated} of {results.Length} pairs annotated in {time.TotalSeconds:F1} s ({kept} from the journal): {_output}"));
        string preferred = annotated > 0 ? FormattableString.Invariant($"output_2 preferred in {100 * share:F2} %; ") : string.Empty;
        Console.Out.WriteLine(FormattableString.Invariant($"{preferred}{ledger.Requests} requests, {ledger.Tokens:F0} tokens, {ledger.Spent:F4} US dollars"));
        foreach (var group in failures)
        {
            Console.Out.WriteLine($"  {group.Count(),6} without a preference: {group.Key} (e.g. {group.First().Failure!.Detail})");
        }
    }

    private static void WriteReal(Utf8JsonWriter writer, string name, double value)
    {
        if (double.IsFinite(value))
        {
            writer.WriteNumber(name, value);
        }
        else
        {
            writer.WriteNull(name);
        }
    }
}
