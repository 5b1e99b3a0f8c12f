using Farm.Training.Metrics;

namespace Farm.Cli.Engine;

/// <summary>Metrics on standard error.</summary>
internal sealed class ConsoleSink : IMetricSink
{
    public void Begin(int stepsDone)
    {
        if (stepsDone > 0)
        {
            Console.Error.WriteLine($"Going on after step {stepsDone}.");
        }
    }

    public void Write(MetricLine line) =>
        Console.Error.WriteLine($"step {line.Step}: " + string.Join(", ", line.Values.Select(v => FormattableString.Invariant($"{v.Name} {v.Value:G5}"))));

    public void Dispose()
    {
    }
}
