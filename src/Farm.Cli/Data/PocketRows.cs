using Farm.Core;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Data;

/// <summary>Rows of a file as questions of the pocket world.</summary>
internal static class PocketRows
{
    /// <summary>The questions of the rows.</summary>
    /// <exception cref="BadInputException">A row is no instruction of the pocket world; the message names file, row and field.</exception>
    public static IReadOnlyList<PocketRow> Of(string file, IReadOnlyList<InstructionRow> rows) => [.. rows.Select(row => Of(file, row))];

    /// <summary>The question of a row.</summary>
    /// <exception cref="BadInputException">It is no instruction of the pocket world; the message names file, row and field.</exception>
    public static PocketRow Of(string file, InstructionRow row)
    {
        var question = new PocketRow(row.Instruction, row.Input ?? string.Empty);
        return GoldJudge.KindOf(question) is not null ? question : throw new BadInputException($"{file}, row {row.Number}, field 'instruction': is none of the pocket world.");
    }
}
