using System.Globalization;
using Farm.Cli.Data;

namespace Farm.Cli.Output;

/// <summary>A digest of everything that the rows of a run are made from.</summary>
internal static class InputFingerprint
{
    /// <summary>Digest of prompts, their ids, and the whole rows they come from, since fields of those are carried along.</summary>
    public static string Of(IReadOnlyList<PromptItem> prompts) =>
        Fingerprint.OfTexts(prompts.SelectMany(p => new[]
        {
            p.Text ?? string.Empty,
            string.Join(',', p.Ids.Select(id => id.ToString(CultureInfo.InvariantCulture))),
            p.Row is null ? string.Empty : p.Row.Fields.GetRawText(),
        }));

    /// <summary>Digest of rows whose prompts and outputs are scored.</summary>
    public static string Of(IEnumerable<InstructionRow> rows, IEnumerable<string> prompts) =>
        Fingerprint.OfTexts(rows.Select(r => r.Fields.GetRawText()).Concat(prompts));
}
