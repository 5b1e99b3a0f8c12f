using Farm.Annotation.Data;
using Farm.Annotation.Metrics;

namespace Farm.Annotation.UltraFeedback;

/// <summary>Binarised pairs as AlpacaFarm's preference rows, which reward modeling and DPO read.</summary>
public static class PreferencePairs
{
    /// <summary>The row of a pair: which output comes first is decided by the instruction, so that the preference is not always the same.</summary>
    public static JsonRow Row(BinarizedPair pair)
    {
        ArgumentNullException.ThrowIfNull(pair);
        bool chosenFirst = (Ordinal(pair.Record.Instruction) & 1) == 0;
        var (first, second) = chosenFirst ? (pair.Chosen, pair.Rejected) : (pair.Rejected, pair.Chosen);
        var row = new JsonRow();
        row.Set("instruction", pair.Record.Instruction);
        row.Set("input", "");
        row.Set("output_1", first.Response);
        row.Set("output_2", second.Response);
        row.Set("preference", chosenFirst ? 1 : 2);
        row.Set("generator_1", first.Model);
        row.Set("generator_2", second.Model);
        row.Set("score_1", chosenFirst ? pair.ChosenScore : pair.RejectedScore);
        row.Set("score_2", chosenFirst ? pair.RejectedScore : pair.ChosenScore);
        row.Set("source", pair.Record.Source);
        return row;
    }

    /// <summary>Writes the rows, whole or not at all.</summary>
    public static void Write(string path, IEnumerable<BinarizedPair> pairs) => TextFile.Write(path, PandasJson.Write(pairs.Select(Row)) + "\n");

    private static byte Ordinal(string text) => System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text))[0];
}
