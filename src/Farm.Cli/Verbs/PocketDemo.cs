using System.Globalization;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;
using Farm.Pocket;

namespace Farm.Cli.Verbs;

/// <summary>Best-of-16 without a file of one's own: the embedded models on the eval split of the pocket world, judged by its gold judge.</summary>
internal static class PocketDemo
{
    private const int Samples = 16, Shown = 5;

    /// <summary>Samples, ranks, prints a few instructions with their best and worst response, and what ranking gained.</summary>
    /// <exception cref="BadInputException">This build carries no models, or the cache cannot be written.</exception>
    public static int Run(EngineSettings settings, ulong seed, int? maxInstances, bool json, CancellationToken cancellation)
    {
        var folders = PocketModels.Embedded("--decoder, --scorer, --input and --output");
        PocketRow[] rows = PocketModels.Rows("eval", settings, maxInstances);
        using var models = PocketModels.Load(folders, settings);
        var (ranked, report) = models.Rank("Best of 16", rows, Samples, seed, cancellation);
        var gain = PocketGain.Of(rows, ranked);
        if (json)
        {
            StandardOutput.WriteLine(w =>
            {
                w.WriteStartObject();
                gain.WriteFields(w);
                report.WriteFields(w);
                w.WriteEndObject();
            });
            return ExitCodes.Done;
        }

        for (int i = 0; i < Math.Min(Shown, rows.Length); i++)
        {
            Console.Out.WriteLine(rows[i].Input.Length > 0 ? $"{rows[i].Instruction}  [{rows[i].Input}]" : rows[i].Instruction);
            Print("best", ranked[i].Samples[0]);
            Print("worst", ranked[i].Samples[^1]);
        }

        Console.Out.WriteLine(gain);
        Console.Out.WriteLine(report);
        return ExitCodes.Done;
    }

    private static void Print(string label, RankedSample sample) =>
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {label,-5} {sample.Reward,7:F3}  {(sample.Sample.Text ?? string.Empty).Trim().ReplaceLineEndings(" / ")}"));
}
