using System.Globalization;

namespace Farm.Cli.Progress;

/// <summary>Rate and time left of a run, from what it has done so far.</summary>
internal sealed class RateEstimate(int alreadyDone, int total, TimeProvider clock)
{
    private readonly long _start = clock.GetTimestamp();

    /// <summary>Time since the run began.</summary>
    public TimeSpan Elapsed => clock.GetElapsedTime(_start);

    /// <summary>Time left at the rate so far, null before anything is done.</summary>
    public TimeSpan? Left(int done)
    {
        int made = done - alreadyDone;
        return made > 0 ? Elapsed * ((double)(total - done) / made) : null;
    }

    /// <summary>E.g. <c>12/32 prompts, 345.1 tokens/s, 0:42 left</c>.</summary>
    public string Describe(int done, long tokens)
    {
        double seconds = Elapsed.TotalSeconds;
        string text = string.Create(CultureInfo.InvariantCulture, $"{done}/{total} prompts");
        if (tokens > 0 && seconds > 0)
        {
            text += string.Create(CultureInfo.InvariantCulture, $", {tokens / seconds:F1} tokens/s");
        }

        return Left(done) is { } left ? $"{text}, {Format(left)} left" : text;
    }

    private static string Format(TimeSpan time) =>
        time.TotalHours >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:D2}:{time.Seconds:D2}")
            : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:D2}");
}
