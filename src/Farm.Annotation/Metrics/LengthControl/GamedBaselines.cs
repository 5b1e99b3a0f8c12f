using Farm.Annotation.Data;

namespace Farm.Annotation.Metrics.LengthControl;

/// <summary>
/// Rows of the two baselines whose outputs were made concise and verbose on purpose; beside a model's rows they keep the fit from taking
/// length for quality. AlpacaEval publishes them as <c>df_gamed.csv</c>.
/// </summary>
/// <param name="Rows">The features and the target of each row.</param>
public sealed record GamedBaselines(IReadOnlyList<GamedRow> Rows)
{
    /// <summary>Reads the CSV file, which has at least <c>preference</c>, <c>std_delta_len</c> and <c>instruction_difficulty</c>; rows without a preference are left out.</summary>
    /// <exception cref="Core.BadInputException">The file is something else.</exception>
    public static GamedBaselines Read(string path)
    {
        var records = Csv.Read(path);
        string[] header = records.Count > 0 ? records[0].Fields : throw new Core.BadInputException($"{path} is empty.");
        int preference = CsvFields.Column(path, header, "preference");
        int length = CsvFields.Column(path, header, "std_delta_len");
        int difficulty = CsvFields.Column(path, header, "instruction_difficulty");
        var rows = new List<GamedRow>();
        foreach (var record in records.Skip(1).Where(r => CsvFields.Text(path, r, header, preference).Length > 0))
        {
            double target = CsvFields.Number(path, record, header, preference);
            rows.Add(target is >= 0 and <= 1
                ? new GamedRow(target, CsvFields.Number(path, record, header, length), CsvFields.Number(path, record, header, difficulty))
                : throw new Core.BadInputException($"{path}, row {record.Row}, field 'preference': must be from 0 to 1, not {record.Fields[preference]}."));
        }

        return new GamedBaselines(rows);
    }
}

/// <summary>A row of a gamed baseline.</summary>
/// <param name="Target">The probability that it is preferred, 0 to 1.</param>
/// <param name="StandardDeltaLength">The difference of lengths over its deviation.</param>
/// <param name="Difficulty">The instruction's difficulty.</param>
public sealed record GamedRow(double Target, double StandardDeltaLength, double Difficulty);
