using Farm.Cli.Data;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Cli.Progress;
using Farm.Inference;

namespace Farm.Cli.Engine;

/// <summary>What the verbs that generate have in common.</summary>
internal static class GenerationSession
{
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>The generator's options of the flags.</summary>
    public static GenerationOptions Options(SamplingSettings sampling) => new()
    {
        NumReturnSequences = sampling.Samples,
        MaxNewTokens = sampling.MaxNewTokens,
        Sampling = sampling.Parameters,
        Seed = sampling.Seed,
        StopStrings = sampling.Stop,
        BatchSequences = sampling.BatchSequences ?? 0,
    };

    /// <summary>The prompts that a journal does not hold yet.</summary>
    public static IReadOnlyList<Prompt> Waiting(IReadOnlyList<PromptItem> prompts, Journal? journal) =>
        [.. prompts.Where(p => journal?.Contains(p.Index) != true).Select(p => new Prompt(p.Index, p.Ids, p.Text))];

    /// <summary>Runs a generation under a progress display.</summary>
    /// <param name="title">What is done.</param>
    /// <param name="total">Prompts of the whole run.</param>
    /// <param name="waiting">Prompts that this run does.</param>
    /// <param name="journal">Where results are kept, null where they are not.</param>
    /// <param name="generate">The generation; it is given what to call after every step.</param>
    /// <exception cref="InterruptedRunException">It was cancelled.</exception>
    public static void Run(string title, int total, int waiting, Journal? journal, Action<Action<GenerationProgress>> generate)
    {
        int before = total - waiting;
        try
        {
            ProgressRunner.Run(title, before, total, display =>
            {
                long last = 0;
                generate(state =>
                {
                    // Steps may take less than a millisecond; the display need not keep up with them.
                    if (state.PromptsDone < state.Prompts && TimeProvider.System.GetElapsedTime(last) < ProgressInterval)
                    {
                        return;
                    }

                    last = TimeProvider.System.GetTimestamp();
                    display.Report(before + state.PromptsDone, state.TokensGenerated);
                });
            });
        }
        catch (OperationCanceledException)
        {
            throw new InterruptedRunException(journal is null
                ? "Interrupted."
                : $"Interrupted: {journal.Count} of {total} prompts are kept in {Journal.PathOf(journal.OutputPath)}; the same command with --resume goes on.");
        }
    }
}
