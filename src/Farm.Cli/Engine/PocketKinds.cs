using System.Globalization;
using System.Text.Json;
using Farm.Inference;
using Farm.Pocket;
using Farm.Pocket.Judging;

namespace Farm.Cli.Engine;

/// <summary>What ranking gains, and how the reward orders pairs, kind by kind of instruction.</summary>
internal sealed class PocketKinds
{
    private readonly List<(string Kind, PocketGain Gain, PocketAccuracy Accuracy)> _kinds;

    private PocketKinds(List<(string Kind, PocketGain Gain, PocketAccuracy Accuracy)> kinds) => _kinds = kinds;

    /// <summary>Groups rows by kind.</summary>
    public static PocketKinds Of(IReadOnlyList<PocketRow> rows, IReadOnlyList<RankedPrompt> ranked, ulong seed) => new(
    [
        .. rows.Zip(ranked).GroupBy(p => GoldJudge.KindOf(p.First)!).OrderBy(g => g.Key, StringComparer.Ordinal).Select(group =>
        {
            PocketRow[] questions = [.. group.Select(p => p.First)];
            RankedPrompt[] answers = [.. group.Select(p => p.Second)];
            return (group.Key, PocketGain.Of(questions, answers), PocketAccuracy.Of(questions, answers, seed));
        }),
    ]);

    /// <summary>Writes the property <c>kinds</c> into an open JSON object.</summary>
    public void WriteFields(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("kinds");
        foreach (var (kind, gain, accuracy) in _kinds)
        {
            writer.WriteStartObject(kind);
            gain.WriteFields(writer);
            accuracy.WriteFields(writer);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    /// <inheritdoc/>
    public override string ToString() => string.Join('\n', _kinds
        .Select(k => string.Create(CultureInfo.InvariantCulture, $"  {k.Kind,-18} {k.Gain.Prompts,5} {k.Gain.Single,8:F3} {k.Gain.Best,8:F3} {k.Accuracy.Gold,8:P0}"))
        .Prepend("  kind                rows   single     best    pairs ordered as gold"));
}
