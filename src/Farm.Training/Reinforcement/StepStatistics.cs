namespace Farm.Training.Reinforcement;

/// <summary>Means and variances of named quantities, in the order in which they first occur.</summary>
internal sealed class StepStatistics
{
    private readonly List<string> _names = [];
    private readonly Dictionary<string, (double Sum, double Weight)> _sums = [];

    /// <summary>Adds to a sum and to the weight it is divided by.</summary>
    public void Add(string name, double sum, double weight)
    {
        if (!_sums.TryGetValue(name, out var old))
        {
            _names.Add(name);
        }

        _sums[name] = (old.Sum + sum, old.Weight + weight);
    }

    /// <summary>Mean of all elements.</summary>
    public void AddAll(string name, ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += value;
        }

        Add(name, sum, values.Length);
    }

    /// <summary>All means.</summary>
    public IEnumerable<(string Name, double Value)> Means() => _names.Select(n => (n, _sums[n].Sum / _sums[n].Weight));

    /// <summary>Mean and population variance.</summary>
    public static (double Mean, double Variance) Moments(IEnumerable<float> values)
    {
        double[] all = [.. values.Select(v => (double)v)];
        double mean = all.Average();
        return (mean, all.Average(v => (v - mean) * (v - mean)));
    }
}
