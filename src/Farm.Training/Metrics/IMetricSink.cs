namespace Farm.Training.Metrics;

/// <summary>The numbers of one step.</summary>
/// <param name="Step">Updates done, from 1.</param>
/// <param name="Values">Names and values in order; names of evaluations begin with <c>eval_</c>.</param>
public sealed record MetricLine(int Step, IReadOnlyList<(string Name, double Value)> Values);

/// <summary>Where metrics go.</summary>
public interface IMetricSink : IDisposable
{
    /// <summary>Told once, before any line, how many updates were done before.</summary>
    void Begin(int stepsDone);

    /// <summary>Takes a line.</summary>
    void Write(MetricLine line);
}
