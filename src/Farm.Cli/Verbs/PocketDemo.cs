using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Prompts;
using Farm.Pocket;
using Farm.Pocket.Embedded;
using Farm.Pocket.Judging;

namespace Farm.Cli.Verbs;

/// <summary>Best-of-16 without a file of one's own: the embedded models on the eval split of the pocket world, judged by its gold judge.</summary>
internal static class PocketDemo
{
    private const int Samples = 16, Shown = 5, MaxNewTokens = 64;

    /// <summary>Samples, ranks, prints a few instructions with their best and worst response, and what ranking gained.</summary>
    /// <exception cref="BadInputException">This build carries no models, or the cache cannot be written.</exception>
    public static int Run(EngineSettings settings, ulong seed, int? maxInstances, bool json, CancellationToken cancellation)
    {
        if (!EmbeddedModels.Available)
        {
            throw new BadInputException("This build carries no models of its own; give --decoder, --scorer, --input and --output.");
        }

        long start = Stopwatch.GetTimestamp();
        var folders = EmbeddedModels.Extract(Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } cache ? cache : Path.GetTempPath(), "farm"));
        var policy = ModelFolder.OpenDecoder(folders.Policy);
        var judge = ModelFolder.OpenScorer(folders.Reward);
        PocketRow[] rows = [.. PocketWorld.Default.Split("eval").Take(maxInstances ?? int.MaxValue)];
        var tokenizer = policy.RequireTokenizer();
        Prompt[] prompts = [.. rows.Select((row, i) =>
        {
            string text = PromptDictionary.Default.Format(row.Instruction, row.Input);
            return new Prompt(i, tokenizer.Encode(text), text);
        })];

        using var backend = Backends.Create(settings);
        using var decoder = policy.LoadDecoder(backend, settings.DType);
        using var reward = judge.LoadScorer(backend, settings.DType);
        using var generator = new Generator(decoder, tokenizer, new GenerationOptions { NumReturnSequences = Samples, MaxNewTokens = MaxNewTokens, Seed = seed });
        using var scorer = new Scorer(reward, judge.Tokenizer);
        var ranked = new RankedPrompt[rows.Length];
        GenerationSession.Run("Best of 16", rows.Length, rows.Length, journal: null, progress =>
            BestOfN.Run(generator, scorer, prompts, new BestOfNOptions(), done => ranked[done.Prompt.Index] = done, progress, cancellation));
        var gain = PocketGain.Of(rows, ranked);
        var report = RunReport.Finish(generator.Statistics, decoder, start);
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

/// <summary>What the gold judge says of best-of-n against single samples.</summary>
/// <param name="Prompts">Instructions.</param>
/// <param name="Best">Mean gold score of the responses ranked first.</param>
/// <param name="Single">Mean gold score of all samples: what one sample scores on average.</param>
/// <param name="Wins">Share of all (best, other sample) pairs of unequal gold score that the best wins.</param>
/// <param name="Ties">Share of pairs of equal gold score.</param>
internal sealed record PocketGain(int Prompts, double Best, double Single, double Wins, double Ties)
{
    /// <summary>Judges every sample.</summary>
    public static PocketGain Of(IReadOnlyList<PocketRow> rows, IReadOnlyList<RankedPrompt> ranked)
    {
        double best = 0, single = 0;
        long wins = 0, ties = 0, pairs = 0, samples = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            double[] gold = [.. ranked[i].Samples.Select(s => GoldJudge.Score(rows[i], s.Sample.Text ?? string.Empty).Total)];
            best += gold[0];
            single += gold.Sum();
            samples += gold.Length;
            pairs += gold.Length - 1;
            wins += gold.Skip(1).Count(g => gold[0] > g);
            ties += gold.Skip(1).Count(g => gold[0] == g);
        }

        return new PocketGain(rows.Count, best / rows.Count, single / samples, pairs > ties ? wins / (double)(pairs - ties) : 0, pairs > 0 ? ties / (double)pairs : 0);
    }

    /// <summary>Writes the fields into an open JSON object.</summary>
    public void WriteFields(Utf8JsonWriter writer)
    {
        writer.WriteNumber("prompts", Prompts);
        writer.WriteNumber("gold_best", Math.Round(Best, 4));
        writer.WriteNumber("gold_single", Math.Round(Single, 4));
        writer.WriteNumber("gold_win_rate_of_decided_pairs", Math.Round(Wins, 4));
        writer.WriteNumber("gold_tied_pairs", Math.Round(Ties, 4));
        writer.WriteNumber("gold_win_rate_ties_half", Math.Round((Wins * (1 - Ties)) + (Ties / 2), 4));
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Prompts} instructions: gold score {Best:F3} for the best of 16, {Single:F3} for a single sample; of the pairs with unequal scores the best wins {Wins:P1} ({Ties:P1} are tied)");
}
