using System.Diagnostics;
using System.Globalization;
using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;

namespace Farm.JudgeBench;

/// <summary>The process under test: annotates pairs against a server, journal and all, and prints what it did.</summary>
internal static class Client
{
    private const string Config = """
        judge:
          prompt_template: "judge/prompt.txt"
          completions_kwargs: {model_name: "gpt-4", max_tokens: 10, temperature: 0}
          completion_parser_kwargs: {outputs_to_match: {1: 'first', 2: 'second'}}
        """;

    /// <summary>The pairs, whose outputs differ so that the right preference is always 2.</summary>
    public static IEnumerable<PairRow> Pairs(int count) =>
        Enumerable.Range(0, count).Select(i => new PairRow($"instruction {i}", $"a{i} {new string('x', 300)}", $"b{i} {new string('y', 300)}"));

    public static async Task<int> RunAsync(string url, string folder, int count, int inFlight)
    {
        Directory.CreateDirectory(Path.Combine(folder, "judge"));
        await File.WriteAllTextAsync(Path.Combine(folder, "judge", "configs.yaml"), Config);
        await File.WriteAllTextAsync(Path.Combine(folder, "judge", "prompt.txt"), "<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>");
        using var client = new OpenAiCompletionClient(new OpenAiOptions
        {
            Endpoint = new Uri(url),
            ApiKeys = ["none"],
            MaxConcurrency = inFlight,
            Timeout = TimeSpan.FromSeconds(2),
            RetryDelay = TimeSpan.FromMilliseconds(5),
            MaxRetryDelay = TimeSpan.FromMilliseconds(100),
            MaxRetries = 40,
        });
        var ledger = new CostLedger();
        using var journal = AnnotationJournal.Open(Path.Combine(folder, "journal.db"));
        var judge = new ConfiguredJudge(JudgeConfigReader.Read(Path.Combine(folder, "judge"))[0], client, ledger);
        var annotator = new PairwiseAnnotator(judge, new AnnotatorOptions { Journal = journal, MaxConcurrency = inFlight });
        var clock = Stopwatch.StartNew();
        int done = 0, annotated = 0, wrong = 0, kept = 0;
        await foreach (var pair in annotator.AnnotateAsync(Pairs(count)))
        {
            done++;
            annotated += pair.Preference is null ? 0 : 1;
            wrong += pair.Preference is not null and not 2 || (pair.Preference is null && pair.Failure is null) ? 1 : 0;
            kept += pair.FromJournal ? 1 : 0;
            if (done % Math.Max(count / 5, 1) == 0)
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {done} pairs, managed memory {GC.GetTotalMemory(forceFullCollection: true) / 1048576.0:F1} MiB, resident {Environment.WorkingSet / 1048576.0:F0} MiB"));
            }
        }

        double seconds = clock.Elapsed.TotalSeconds;
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {done} pairs: {annotated} annotated, {done - annotated} typed failures, {wrong} wrong, {kept} from the journal, {ledger.Requests} requests, {seconds:F2} s, {(done - kept) / seconds:F0} judgements/s"));
        return wrong == 0 && done == count ? 0 : 1;
    }
}
