using System.CommandLine;
using System.Text.Json.Nodes;
using Farm.Cli.Data;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Inference;

namespace Farm.Cli.Engine;

/// <summary>Scores the outputs of a file's rows: what <c>score</c> and <c>rerank</c> have in common.</summary>
internal sealed class ScoringSession
{
    /// <summary>Rows scored at a time: enough to fill passes, few enough that a killed run loses little.</summary>
    private const int RowsAtATime = 8;

    private readonly EngineSettings _settings;
    private readonly ModelFolder _folder;

    private ScoringSession(EngineSettings settings, ModelFolder folder, IReadOnlyList<InstructionRow> rows, IReadOnlyList<string> prompts)
    {
        _settings = settings;
        _folder = folder;
        Rows = rows;
        Prompts = prompts;
    }

    /// <summary>The rows, each with its outputs.</summary>
    public IReadOnlyList<InstructionRow> Rows { get; }

    /// <summary>The prompt of each row.</summary>
    public IReadOnlyList<string> Prompts { get; }

    /// <summary>The scorer's folder as the user gave it.</summary>
    public string ScorerName => _folder.FolderPath;

    /// <summary>Reads everything but the weights.</summary>
    public static ScoringSession Open(ParseResult result, EngineOptions engine, PromptOptions prompts, string scorer, string input, string output)
    {
        var settings = engine.Read(result);
        OutputFile.Check(output);
        var rows = InstructionFile.Read(input, prompts.MaxInstances(result), requireOutput: true);
        var folder = ModelFolder.OpenScorer(scorer);
        folder.RequireTokenizer();
        var format = prompts.Format(result, folder);
        return new ScoringSession(settings, folder, rows, [.. rows.Select(r => format.Format(r.Instruction, r.Input))]);
    }

    /// <summary>Everything that decides the scores.</summary>
    public JsonObject Fingerprint(string verb) => new()
    {
        ["verb"] = verb,
        ["input"] = InputFingerprint.Of(Rows, Prompts),
        ["model"] = _folder.Fingerprint(),
        ["dtype"] = _settings.Precision,
        ["device"] = _settings.Device.Name,
    };

    /// <summary>Scores the rows that the journal does not hold yet.</summary>
    /// <param name="title">What is done, for the progress display.</param>
    /// <param name="journal">Where results are kept.</param>
    /// <param name="onRow">Given the place of a row and the rewards of its outputs.</param>
    /// <param name="cancellation">Stops between rows.</param>
    public void Run(string title, Journal journal, Action<int, float[]> onRow, CancellationToken cancellation)
    {
        int[] waiting = [.. Enumerable.Range(0, Rows.Count).Where(i => !journal.Contains(i))];
        using var backend = Backends.Create(_settings);
        using var model = _folder.LoadScorer(backend, _settings.DType);
        using var scorer = new Scorer(model, _folder.Tokenizer);
        GenerationSession.Run(title, Rows.Count, waiting.Length, journal, progress =>
        {
            int done = 0;
            foreach (int[] chunk in waiting.Chunk(RowsAtATime))
            {
                var groups = chunk.Select(i => scorer.TextGroup(i, Prompts[i], Rows[i].Outputs)).ToList();
                float[][] rewards = scorer.Score(groups, cancellation);
                for (int i = 0; i < chunk.Length; i++)
                {
                    onRow(chunk[i], rewards[i]);
                }

                done += chunk.Length;
                progress(new GenerationProgress(done, waiting.Length, done, scorer.Statistics.PrefillTokens, 0));
            }
        });
    }
}
