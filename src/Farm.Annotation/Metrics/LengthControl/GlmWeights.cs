using System.Globalization;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Metrics.LengthControl;

/// <summary>The coefficients of a model in the length-controlled GLM.</summary>
/// <param name="Length">Of tanh of the standardised difference of lengths.</param>
/// <param name="Difficulty">Of the instruction's difficulty.</param>
/// <param name="Model">Of the model itself.</param>
public sealed record GlmWeights(double Length, double Difficulty, double Model)
{
    /// <summary>The columns of AlpacaEval's weight files, after the model's name.</summary>
    public static readonly IReadOnlyList<string> Columns = ["np.tanh(std_delta_len)", "instruction_difficulty", "not_gamed_baseline.astype(float)"];

    /// <summary>Reads a weight file; of several entries of one model the last counts.</summary>
    /// <exception cref="BadInputException">It is something else.</exception>
    public static IReadOnlyDictionary<string, GlmWeights> Read(string path)
    {
        var records = Csv.Read(path);
        string[] header = records.Count > 0 ? records[0].Fields : throw new BadInputException($"{path} is empty.");
        int[] columns = [.. Columns.Select(c => CsvFields.Column(path, header, c))];
        var weights = new Dictionary<string, GlmWeights>(StringComparer.Ordinal);
        foreach (var record in records.Skip(1))
        {
            double[] values = [.. columns.Select(c => CsvFields.Number(path, record, header, c))];
            weights[CsvFields.Text(path, record, header, 0)] = new GlmWeights(values[0], values[1], values[2]);
        }

        return weights;
    }

    /// <summary>A weight file of AlpacaEval's layout, sixteen decimals each.</summary>
    public static string Write(IEnumerable<KeyValuePair<string, GlmWeights>> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        static string Number(double value) => value.ToString("F16", CultureInfo.InvariantCulture);
        return Csv.Write([["", .. Columns], .. weights.Select(w => (IEnumerable<string>)[w.Key, Number(w.Value.Length), Number(w.Value.Difficulty), Number(w.Value.Model)])]);
    }

    /// <summary>
    /// The length-controlled probability, in percent, that <paramref name="model"/> is preferred to <paramref name="baseline"/>: of two models that were
    /// each fitted against the same reference.
    /// </summary>
    public static double Compare(GlmWeights model, GlmWeights baseline, IReadOnlyCollection<double> difficulties)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(baseline);
        return 100 * Statistics.Mean([.. difficulties.Select(d => L1LogisticRegression.Sigmoid(model.Model - baseline.Model + ((model.Difficulty - baseline.Difficulty) * d)))]);
    }
}
