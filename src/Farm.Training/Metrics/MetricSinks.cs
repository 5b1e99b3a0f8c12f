namespace Farm.Training.Metrics;

/// <summary>Several sinks as one.</summary>
internal static class MetricSinks
{
    /// <summary>Tells all that a run begins, or goes on, after a step.</summary>
    public static void Begin(this IReadOnlyList<IMetricSink> sinks, int step)
    {
        foreach (var sink in sinks)
        {
            sink.Begin(step);
        }
    }

    /// <summary>Writes a line to all.</summary>
    public static void Write(this IReadOnlyList<IMetricSink> sinks, int step, IReadOnlyList<(string Name, double Value)> values)
    {
        foreach (var sink in sinks)
        {
            sink.Write(new MetricLine(step, values));
        }
    }
}
