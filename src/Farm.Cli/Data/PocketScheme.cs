using System.Text.Json;
using Farm.Core;
using Farm.Pocket;

namespace Farm.Cli.Data;

/// <summary><c>pocket:SPLIT</c>: the rows of the pocket world of seed 0; <c>pocket:preference</c> has preferences of its simulated judges.</summary>
internal sealed class PocketScheme : IRowScheme
{
    private const string Preferences = "preference";

    /// <inheritdoc/>
    public string Name => "pocket";

    /// <inheritdoc/>
    public IReadOnlyList<JsonElement> Rows(string set)
    {
        if (!PocketWorld.SplitNames.Contains(set))
        {
            throw new BadInputException($"There is no pocket:{set}; the splits are {string.Join(", ", PocketWorld.SplitNames)}.");
        }

        return set == Preferences
            ? [.. PocketWorld.Default.Preferences().Select(p => JsonSerializer.SerializeToElement(
                new { instruction = p.Instruction, input = p.Input, output_1 = p.Output1, output_2 = p.Output2, preference = p.Preference }))]
            : [.. PocketWorld.Default.Split(set).Select(r => JsonSerializer.SerializeToElement(new { instruction = r.Instruction, input = r.Input, output = r.Output }))];
    }
}
