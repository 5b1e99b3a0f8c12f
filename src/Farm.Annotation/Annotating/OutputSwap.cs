using System.Globalization;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Python;

namespace Farm.Annotation.Annotating;

/// <summary>The seeded draws of alpaca_eval: who judges a row, in which order its outputs are shown, and which label noise gives it.</summary>
public static class OutputSwap
{
    /// <summary>Are the outputs of a row shown the other way round? It hangs on the row's instruction and the seed alone, unless the judge says otherwise.</summary>
    public static bool IsSwitched(IPairwiseJudge judge, PairRow row, int? seed)
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentNullException.ThrowIfNull(row);
        return judge.IsRandomizeOutputOrder
            && new PythonRandom($"is_switched_outputs{string.Concat(judge.RandomSeedColumns.Select(c => Column(row, c)))}{Text(seed)}").Choice(2) == 1;
    }

    /// <summary>Which of several annotators judges a row.</summary>
    public static int Annotator(PairRow row, int? seed, int count)
    {
        ArgumentNullException.ThrowIfNull(row);
        return new PythonRandom($"annotator{row.Input}{row.MergedInstruction}{Text(seed)}").Choice(count);
    }

    /// <summary>The label that noise gives a row, null where it leaves it alone.</summary>
    /// <param name="row">The row.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="flip">The probability of a turned label.</param>
    public static int? Noise(PairRow row, int? seed, double flip)
    {
        ArgumentNullException.ThrowIfNull(row);
        return new PythonRandom($"noisy_preference{row.Input}{row.MergedInstruction}{Text(seed)}").Choice([1 - (2 * flip), flip, flip]) switch
        {
            0 => null,
            var label => label,
        };
    }

    private static string Text(int? seed) => seed?.ToString(CultureInfo.InvariantCulture) ?? "None";

    private static string Column(PairRow row, string name) => name switch
    {
        "instruction" => row.MergedInstruction,
        "input" => row.Input ?? string.Empty,
        "output_1" => row.Output1,
        "output_2" => row.Output2,
        _ => row.Fields.TryGet(name, out var value) ? PythonValue.Text(value) : "None",
    };
}
