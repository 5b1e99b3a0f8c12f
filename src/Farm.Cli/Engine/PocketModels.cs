using System.Diagnostics;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Llama;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;
using Farm.Pocket;
using Farm.Pocket.Embedded;

namespace Farm.Cli.Engine;

/// <summary>A policy and a reward model of the pocket world, loaded.</summary>
internal sealed class PocketModels : IDisposable
{
    private const int MaxNewTokens = 64, SimulatedRows = 4;

    private readonly IBackend _backend;
    private readonly ITokenizer _tokenizer;
    private readonly LlamaModel _policy;
    private readonly RewardModel _reward;
    private readonly ITokenizer? _rewardTokenizer;

    private PocketModels(IBackend backend, ITokenizer tokenizer, LlamaModel policy, RewardModel reward, ITokenizer? rewardTokenizer) =>
        (_backend, _tokenizer, _policy, _reward, _rewardTokenizer) = (backend, tokenizer, policy, reward, rewardTokenizer);

    /// <summary>The folders of the models that this build carries, extracted into the user's cache.</summary>
    /// <param name="flags">The flags by which the verb takes models of one's own, e.g. "--policy and --reward".</param>
    /// <exception cref="BadInputException">It carries none, or the cache cannot be written.</exception>
    public static ModelFolders Embedded(string flags)
    {
        if (!EmbeddedModels.Available)
        {
            throw new BadInputException($"This build carries no models of its own; give {flags}.");
        }

        string cache = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return EmbeddedModels.Extract(Path.Combine(cache.Length > 0 ? cache : Path.GetTempPath(), "farm"));
    }

    /// <summary>Loads both models.</summary>
    /// <exception cref="BadInputException">A folder is no model, or the models' tokenizers are missing.</exception>
    public static PocketModels Load(ModelFolders folders, EngineSettings settings)
    {
        var policy = ModelFolder.OpenDecoder(folders.Policy);
        var judge = ModelFolder.OpenScorer(folders.Reward);
        var tokenizer = policy.RequireTokenizer();
        var backend = Backends.Create(settings);
        try
        {
            return new PocketModels(backend, tokenizer, policy.LoadDecoder(backend, settings.DType), judge.LoadScorer(backend, settings.DType), judge.Tokenizer);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>The first rows of a split: all of them unless <paramref name="most"/> says so, on the driver simulator a few, which is said.</summary>
    public static PocketRow[] Rows(string split, EngineSettings settings, int? most)
    {
        var all = PocketWorld.Default.Split(split);
        if (most is null && settings.Device.IsSimulator)
        {
            most = SimulatedRows;
            Console.Error.WriteLine($"The driver simulator is slow: of the {all.Count} instructions of the {split} split the first {most} are taken; --max-instances takes more.");
        }

        return [.. all.Take(most ?? int.MaxValue)];
    }

    /// <summary>Samples each row at temperature 1 and ranks the samples by reward.</summary>
    public (RankedPrompt[] Ranked, RunReport Report) Rank(string title, IReadOnlyList<PocketRow> rows, int samples, ulong seed, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        Prompt[] prompts = [.. rows.Select((row, i) =>
        {
            string text = PromptDictionary.Default.Format(row.Instruction, row.Input);
            return new Prompt(i, _tokenizer.Encode(text), text);
        })];
        using var generator = new Generator(_policy, _tokenizer, new GenerationOptions { NumReturnSequences = samples, MaxNewTokens = MaxNewTokens, Seed = seed });
        using var scorer = new Scorer(_reward, _rewardTokenizer);
        var ranked = new RankedPrompt[rows.Count];
        GenerationSession.Run(title, rows.Count, rows.Count, journal: null, progress =>
            BestOfN.Run(generator, scorer, prompts, new BestOfNOptions(), done => ranked[done.Prompt.Index] = done, progress, cancellation));
        return (ranked, RunReport.Finish(generator.Statistics, _policy, start));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _policy.Dispose();
        _reward.Dispose();
        _backend.Dispose();
    }
}
