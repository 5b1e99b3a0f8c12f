using Farm.Annotation.Metrics.LengthControl;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>A model's line of a leaderboard from its annotations.</summary>
public static class ModelScore
{
    /// <summary>Computes the line, its columns in the order of a new leaderboard.</summary>
    /// <param name="model">The annotations.</param>
    /// <param name="mode">What stands in the column <c>mode</c>.</param>
    /// <param name="averageLength">The mean length of the model's outputs; left out where null.</param>
    /// <param name="lengthControlled">The length-controlled win rate; left out where null.</param>
    public static LeaderboardRow Row(ModelAnnotations model, string mode, long? averageLength, LengthControlledWinRate? lengthControlled = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        var rate = WinRate.Of(model.Pairs.Select(p => p.Preference));
        if (rate.Total == 0)
        {
            throw new BadInputException($"{model.Pairs[0].Place.Split(", row ")[0]} has no preference for the model '{model.Name}': there is nothing to score.");
        }

        var row = new LeaderboardRow(model.Name);
        row.Set("win_rate", rate.Percent);
        row.Set("standard_error", rate.StandardError);
        row.Set("mode", mode);
        if (averageLength is { } length)
        {
            row.Set("avg_length", length);
        }

        row.Set("n_wins", rate.Wins);
        row.Set("n_wins_base", rate.WinsBase);
        row.Set("n_draws", rate.Draws);
        row.Set("n_total", rate.Total);
        row.Set("discrete_win_rate", rate.DiscretePercent);
        if (lengthControlled is not null)
        {
            row.Set("length_controlled_winrate", lengthControlled.Percent);
            row.Set("lc_standard_error", lengthControlled.StandardError);
        }

        return row;
    }

    /// <summary>The mean length of a model's outputs as its annotations have them.</summary>
    public static long? AverageLength(ModelAnnotations model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return CodePoints.AverageLength(model.Pairs.Select(p => p.Output2));
    }

    /// <summary>
    /// The mean length of the outputs in a model's output file. An instruction that was annotated but is no longer in the file counts with the output
    /// that was annotated: such files lost their empty outputs, which the published means include.
    /// </summary>
    /// <param name="model">The annotations.</param>
    /// <param name="outputsPath">The output file.</param>
    /// <exception cref="BadInputException">A row has no output, or the file is about other instructions.</exception>
    public static long? AverageLength(ModelAnnotations model, string outputsPath)
    {
        ArgumentNullException.ThrowIfNull(model);
        var rows = RowFile.ReadSome(outputsPath, bareWords: true);
        var instructions = new HashSet<string>(StringComparer.Ordinal);
        var texts = new List<string?>();
        for (int i = 0; i < rows.Count; i++)
        {
            string place = $"{outputsPath}, row {i + 1}";
            if (!rows[i].Contains("output"))
            {
                throw new BadInputException($"{place}: the field 'output' is missing.");
            }

            texts.Add(RowFields.Text(place, rows[i], "output"));
            if (RowFields.Text(place, rows[i], "instruction") is { } instruction)
            {
                instructions.Add(instruction);
            }
        }

        if (instructions.Count > 0 && model.Pairs.Any(p => p.Instruction is not null) && !model.Pairs.Any(p => p.Instruction is not null && instructions.Contains(p.Instruction)))
        {
            throw new BadInputException($"{outputsPath} has no instruction in common with the annotations of '{model.Name}'.");
        }

        if (instructions.Count > 0)
        {
            texts.AddRange(model.Pairs.Where(p => p.Instruction is not null && !instructions.Contains(p.Instruction)).Select(p => p.Output2 ?? ""));
        }

        return CodePoints.AverageLength(texts);
    }
}
