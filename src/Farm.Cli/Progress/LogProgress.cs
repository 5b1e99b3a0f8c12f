namespace Farm.Cli.Progress;

/// <summary>A line at the start, at the end, and every ten seconds between.</summary>
internal sealed class LogProgress : IRunProgress
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);
    private readonly string _title;
    private readonly int _total;
    private readonly TextWriter _writer;
    private readonly RateEstimate _rate;
    private TimeSpan _next;

    /// <summary>Writes the first line.</summary>
    public LogProgress(string title, int alreadyDone, int total, TextWriter writer, TimeProvider clock)
    {
        (_title, _total, _writer) = (title, total, writer);
        _rate = new RateEstimate(alreadyDone, total, clock);
        _next = Interval;
        _writer.WriteLine($"{title}: {alreadyDone}/{total} prompts");
    }

    /// <inheritdoc/>
    public void Report(int done, long tokens)
    {
        if (_rate.Elapsed >= _next || done == _total)
        {
            _writer.WriteLine($"{_title}: {_rate.Describe(done, tokens)}");
            _next = _rate.Elapsed + Interval;
        }
    }
}
