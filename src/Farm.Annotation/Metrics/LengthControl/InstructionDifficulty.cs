using System.Globalization;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Metrics.LengthControl;

/// <summary>
/// How hard each instruction of the evaluation set is for the baseline, a constant of the length-controlled model; AlpacaEval publishes the values
/// of its 805 instructions as <c>instruction_difficulty.csv</c>.
/// </summary>
public sealed class InstructionDifficulty
{
    private const string Column = "instruction_difficulty", KeyColumn = "instruction";
    private readonly Dictionary<string, double>? _byInstruction;
    private readonly string _source;

    private InstructionDifficulty(string source, double[] values, Dictionary<string, double>? byInstruction) => (_source, Values, _byInstruction) = (source, values, byInstruction);

    /// <summary>The values, in the order of the evaluation set.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>The values as given, in the order of the evaluation set.</summary>
    /// <param name="values">The difficulties.</param>
    /// <param name="instructions">Their instructions, where they are to be looked up by them.</param>
    public static InstructionDifficulty Of(IReadOnlyList<double> values, IReadOnlyList<string>? instructions = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        return new InstructionDifficulty("the difficulties", [.. values], instructions is null ? null : Index(instructions, values));
    }

    /// <summary>
    /// Reads a CSV file: a column <c>instruction_difficulty</c>, or the only other column beside an index; with a column <c>instruction</c> the
    /// values can also be found by instruction.
    /// </summary>
    /// <exception cref="BadInputException">The file is something else.</exception>
    public static InstructionDifficulty Read(string path)
    {
        var records = Csv.Read(path);
        if (records.Count < 2)
        {
            throw new BadInputException($"{path} has no difficulties: it must be a CSV file with a header and a column '{Column}'.");
        }

        string[] header = records[0].Fields;
        int column = Array.IndexOf(header, Column), key = Array.IndexOf(header, KeyColumn);
        column = column >= 0 ? column : header.Length <= 2 ? header.Length - 1 : throw new BadInputException($"{path} has no column '{Column}'.");
        if (double.TryParse(header[column], NumberStyles.Float, CultureInfo.InvariantCulture, out _))
        {
            throw new BadInputException($"{path} has no header: its first row must name the column '{Column}'.");
        }

        double[] values = [.. records.Skip(1).Select(r => CsvFields.Number(path, r, header, column))];
        return new InstructionDifficulty(path, values, key < 0 ? null : Index([.. records.Skip(1).Select(r => r.Fields[key])], values));
    }

    /// <summary>The value of a row.</summary>
    /// <param name="pair">The row.</param>
    /// <param name="byInstruction">True to look it up by its instruction, false by its position, as the published numbers were made.</param>
    /// <exception cref="BadInputException">There is none.</exception>
    public double Of(ScoredPair pair, bool byInstruction)
    {
        ArgumentNullException.ThrowIfNull(pair);
        if (!byInstruction)
        {
            return pair.Position < Values.Count
                ? Values[pair.Position]
                : throw new BadInputException($"{pair.Place}: {_source} has a difficulty for {Values.Count} rows only.");
        }

        return (_byInstruction ?? throw new BadInputException($"{_source} has no column '{KeyColumn}', so difficulties cannot be found by instruction."))
            .TryGetValue(pair.Instruction ?? "", out double value)
            ? value
            : throw new BadInputException($"{pair.Place}: {_source} has no difficulty for this instruction.");
    }

    private static Dictionary<string, double> Index(IReadOnlyList<string> instructions, IReadOnlyList<double> values)
    {
        var index = new Dictionary<string, double>(StringComparer.Ordinal);
        for (int i = 0; i < instructions.Count; i++)
        {
            index.TryAdd(instructions[i], values[i]);
        }

        return index;
    }
}
