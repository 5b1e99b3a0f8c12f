namespace Farm.Annotation.Completions;

/// <summary>
/// Lets a number of units a minute through, spread evenly (the generic cell rate algorithm): each taker is given a time, and waits for it. A
/// tenth of a minute's units may go at once.
/// </summary>
internal sealed class RateGate(double unitsPerMinute, TimeProvider clock)
{
    private const double BurstSeconds = 6;
    private readonly Lock _lock = new();
    private readonly long _start = clock.GetTimestamp();
    private double _free;

    /// <summary>Waits until the units may go.</summary>
    public async Task WaitAsync(double units, CancellationToken cancellationToken)
    {
        double wait;
        lock (_lock)
        {
            double now = clock.GetElapsedTime(_start).TotalSeconds;
            _free = Math.Max(_free, now - BurstSeconds);
            wait = _free - now;
            _free += units * 60 / unitsPerMinute;
        }

        if (wait > 0)
        {
            await Task.Delay(TimeSpan.FromSeconds(wait), clock, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives units back that were estimated and not used, or takes more.</summary>
    public void Correct(double estimated, double used)
    {
        lock (_lock)
        {
            _free += (used - estimated) * 60 / unitsPerMinute;
        }
    }
}
