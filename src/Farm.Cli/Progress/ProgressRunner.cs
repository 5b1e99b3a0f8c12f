using Spectre.Console;
using Spectre.Console.Rendering;

namespace Farm.Cli.Progress;

/// <summary>Runs work under a live bar on a terminal, and under plain log lines elsewhere.</summary>
internal static class ProgressRunner
{
    /// <summary>Runs <paramref name="work"/> and shows its progress.</summary>
    /// <param name="title">What is done, e.g. "Sampling".</param>
    /// <param name="alreadyDone">Prompts that an earlier run finished.</param>
    /// <param name="total">All prompts.</param>
    /// <param name="work">The work.</param>
    public static void Run(string title, int alreadyDone, int total, Action<IRunProgress> work)
    {
        if (Console.IsErrorRedirected || Environment.GetEnvironmentVariable("CI") == "true")
        {
            work(new LogProgress(title, alreadyDone, total, Console.Error, TimeProvider.System));
            return;
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        var rate = new RateColumn();
        console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), rate)
            .Start(context =>
            {
                var task = context.AddTask(title, maxValue: Math.Max(total, 1));
                task.Value = alreadyDone;
                work(new LiveProgress(task, rate, new RateEstimate(alreadyDone, total, TimeProvider.System)));
            });
    }

    private sealed class LiveProgress(ProgressTask task, RateColumn column, RateEstimate rate) : IRunProgress
    {
        public void Report(int done, long tokens)
        {
            task.Value = done;
            column.Text = rate.Describe(done, tokens);
        }
    }

    /// <summary>Prompts done, tokens per second and time left. Drawn by a thread of its own, so the text is replaced whole.</summary>
    private sealed class RateColumn : ProgressColumn
    {
        public volatile string Text = string.Empty;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(Text);
    }
}
