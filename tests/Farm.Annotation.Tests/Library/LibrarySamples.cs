using Farm.Annotation.Annotating;
using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Microsoft.Extensions.AI;

namespace Farm.Annotation.Tests.Library;

/// <summary>The samples of the library's README, compiled; a test compares the two texts.</summary>
internal static class LibrarySamples
{
    public static async Task<IReadOnlyList<AnnotatedPair>> Pairs(string judgeFolder, string baseUrl, string journalFile, string pairsFile)
    {
        #region pairs
        var config = JudgeFolders.Read(judgeFolder)[0];
        using var client = new OpenAiCompletionClient(OpenAiOptions.FromEnvironment(baseUrl, judge: config));
        using var journal = AnnotationJournal.Open(journalFile);
        var ledger = new CostLedger(maxCost: 2.50);
        var annotator = new PairwiseAnnotator(new ConfiguredJudge(config, client, ledger), new AnnotatorOptions { Journal = journal, MaxConcurrency = 32 });

        IReadOnlyList<AnnotatedPair> all = await annotator.AnnotatePairsAsync(PairRow.Read(pairsFile));
        Console.WriteLine($"{all.Count(p => p.Preference == 2)} of {all.Count} second outputs preferred, {ledger.Spent} US dollars spent");
        #endregion
        return all;
    }

    public static async Task Stream(PairwiseAnnotator annotator, IEnumerable<PairRow> rows, CancellationToken cancellation)
    {
        #region stream
        await foreach (var pair in annotator.AnnotateAsync(rows, cancellation))
        {
            Console.WriteLine(pair.Preference is { } preference ? $"{pair.Index}: {preference}" : $"{pair.Index}: {pair.Failure!.Code}");
        }
        #endregion
    }

    public static async Task<IReadOnlyList<AnnotatedPair>> ChatClient(string judgeFolder, IChatClient provider)
    {
        #region chat-client
        IChatClient chat = provider;
        var judge = new ConfiguredJudge(JudgeFolders.Read(judgeFolder)[0], new ChatClientCompletionClient(chat));
        var pairs = await new PairwiseAnnotator(judge).AnnotatePairsAsync([new PairRow("Name a prime.", "4", "7")]);
        #endregion
        return pairs;
    }

    public static async Task<IReadOnlyList<AnnotatedPair>> Function()
    {
        #region function
        var shorter = new FunctionJudge("shorter", (pair, _) => ValueTask.FromResult(pair.Output1.Length <= pair.Output2.Length ? 1.0 : 2.0));
        var judged = await new PairwiseAnnotator(shorter).AnnotatePairsAsync([new PairRow("Be brief.", "Yes.", "Yes, indeed.")]);
        #endregion
        return judged;
    }
}
