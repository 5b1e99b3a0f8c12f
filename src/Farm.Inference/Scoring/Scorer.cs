using System.Diagnostics;
using Farm.Core;
using Farm.Models.Llama;
using Farm.Models.Tokenizers;

namespace Farm.Inference;

/// <summary>
/// Rewards of responses. The prompt's K/V is computed once and shared by its responses, which ride packed in passes of many; a reward is
/// read at the last token of prompt and response, the whole cut on the right at the longest length (AlpacaFarm never shows its reward model
/// an end-of-sequence token, and an empty response is judged at the prompt's last token). A reward does not depend on what else is scored with it.
/// </summary>
public sealed class Scorer : IDisposable
{
    private readonly LlamaWorkspace _workspace;
    private readonly ForwardBatch _batch;
    private readonly SequencePacker _packer;
    private readonly Arena _arena;
    private readonly Tensor _hidden;
    private readonly Tensor _rewards;
    private readonly float[] _hostRewards;
    private KvCache? _cache;
    private long? _budgetPages;

    /// <summary>A scorer over a reward model; <paramref name="tokenizer"/> is needed for scoring text.</summary>
    public Scorer(RewardModel model, ITokenizer? tokenizer, ScorerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        Options = options ?? new ScorerOptions();
        Options.Validate();
        Model = model;
        Tokenizer = tokenizer;
        MaxLength = Math.Min(Options.MaxLength ?? tokenizer?.ModelMaxLength ?? int.MaxValue, model.Backbone.MaxPositions);
        var backbone = model.Backbone;
        int sequences = SequencesOf(Options.Rows);
        _workspace = backbone.CreateWorkspace(Options.Rows, 0);
        _batch = new ForwardBatch(Options.Rows, sequences, Math.Max(4096, 4 * KvPool.PagesFor(MaxLength)));
        _packer = new SequencePacker(backbone, _workspace, _batch);
        _arena = new Arena(backbone.Backend, Arena.SizeOf(DType.F32, sequences, backbone.Config.HiddenSize) + Arena.SizeOf(DType.F32, sequences, 1));
        _hidden = _arena.Take(DType.F32, sequences, backbone.Config.HiddenSize);
        _rewards = _arena.Take(DType.F32, sequences, 1);
        _hostRewards = new float[sequences];
    }

    /// <summary>The reward model.</summary>
    public RewardModel Model { get; }

    /// <summary>Its tokenizer.</summary>
    public ITokenizer? Tokenizer { get; }

    /// <summary>How responses are scored.</summary>
    public ScorerOptions Options { get; }

    /// <summary>Most tokens of prompt and response together.</summary>
    public int MaxLength { get; }

    /// <summary>Most pages of keys and values that are reserved for groups of up to so many tokens, where the budget allows them.</summary>
    /// <param name="prefixLength">Most tokens that the responses of a group share.</param>
    /// <param name="responseLength">Most tokens of a response.</param>
    /// <param name="rows">Rows of a pass: <see cref="ScorerOptions.Rows"/>.</param>
    public static long PagesFor(int prefixLength, int responseLength, int rows) => Reserved(
        Math.Max(ScoringWave.MaxPrefixPages, KvPool.PagesFor(prefixLength)) + KvPool.PagesFor(responseLength), SequencesOf(rows));

    /// <summary>Tokens run through the model, and the time that took.</summary>
    public RunStatistics Statistics { get; } = new();

    /// <summary>K/V pages rented now; 0 between calls.</summary>
    public int UsedPages => _cache?.UsedPages ?? 0;

    /// <summary>Rewards of each group's responses, in their order.</summary>
    /// <exception cref="BadInputException">A prompt is empty, an id is outside the vocabulary, or a reward is not finite; the message names the row.</exception>
    public float[][] Score(IReadOnlyList<ScoringGroup> groups, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(groups);
        long start = Stopwatch.GetTimestamp();
        var waves = ScoringWave.Plan(groups, MaxLength, Model.Backbone.Config.VocabularySize, BudgetPages());
        var rewards = groups.Select(group => new float[group.Responses.Count]).ToArray();
        foreach (var wave in waves)
        {
            ScoreWave(wave, rewards, cancellation);
        }

        Statistics.AddPrefill(waves.Sum(wave => wave.Tokens), start);
        Statistics.PeakKvBytes = Math.Max(Statistics.PeakKvBytes, (_cache?.PeakPages * _cache?.Pool.PageBytes) ?? 0);
        RequireNumbers(groups, rewards);
        return rewards;
    }

    /// <summary>
    /// AlpacaFarm's text path: prompt and response are tokenised together as one text. What that text's tokens share with the prompt's
    /// own is still run only once.
    /// </summary>
    /// <exception cref="BadInputException">There is no tokenizer, or as for <see cref="Score"/>.</exception>
    public ScoringGroup TextGroup(int index, string prompt, IEnumerable<string> responses)
    {
        ArgumentNullException.ThrowIfNull(responses);
        var tokenizer = Tokenizer ?? throw new BadInputException("Scoring text needs a scorer folder with a tokenizer.");
        int[] prefix = tokenizer.Encode(prompt);
        return new ScoringGroup(index, prefix, [.. responses.Select(response =>
        {
            int[] ids = tokenizer.Encode(prompt + response);
            int shared = ids.AsSpan().CommonPrefixLength(prefix);
            return new ScoringResponse(shared, ids[shared..]);
        })]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _cache?.Dispose();
        _arena.Dispose();
        _workspace.Dispose();
    }

    private long PageBytes =>
        MemoryPlan.KvBytesPerToken(Model.Backbone.Config, Model.Backbone.KvShape(Options.KvType).DType) * KvPool.PageTokens;

    private void ScoreWave(ScoringWave wave, float[][] rewards, CancellationToken cancellation)
    {
        var cache = EnsureCache(wave);
        try
        {
            _packer.Begin(cache.Pool, _hidden, cancellation);
            foreach (var group in wave.Groups)
            {
                group.Pages = Rent(cache, group.PrefixLength);
                _packer.Add([], 0, group.Prefix.AsSpan(0, group.PrefixLength), group.Pages, 0);
            }

            _packer.End();
            ScoreResponses(cache, wave, rewards, cancellation);
        }
        finally
        {
            foreach (var group in wave.Groups)
            {
                cache.Return(group.Pages);
                group.Pages = [];
            }
        }
    }

    /// <summary>Runs the wave's responses in batches as large as the cache's free pages and the output's rows allow.</summary>
    private void ScoreResponses(KvCache cache, ScoringWave wave, float[][] rewards, CancellationToken cancellation)
    {
        var batch = new List<(PreparedResponse Response, int[] Pages)>(_hidden.Rows);
        try
        {
            _packer.Begin(cache.Pool, _hidden, cancellation);
            foreach (var response in wave.Responses)
            {
                if (batch.Count == _hidden.Rows || KvPool.PagesFor(response.Ids.Length) > cache.FreePages)
                {
                    Flush();
                    _packer.Begin(cache.Pool, _hidden, cancellation);
                }

                int[] pages = Rent(cache, response.Ids.Length);
                batch.Add((response, pages));
                _packer.Add(response.Group.Pages, response.Shared, response.Ids, pages, batch.Count - 1);
            }

            Flush();
        }
        finally
        {
            ReturnBatch();
        }

        void Flush()
        {
            _packer.End();
            var output = _rewards.SliceRows(0, batch.Count);
            Model.Rewards(_hidden.SliceRows(0, batch.Count), output);
            Model.Backbone.Backend.Download(output, _hostRewards.AsSpan(0, batch.Count));
            for (int i = 0; i < batch.Count; i++)
            {
                var (response, _) = batch[i];
                rewards[response.Group.GroupNumber][response.Number] = _hostRewards[i];
            }

            ReturnBatch();
        }

        void ReturnBatch()
        {
            batch.ForEach(entry => cache.Return(entry.Pages));
            batch.Clear();
        }
    }

    private static int[] Rent(KvCache cache, int tokens)
    {
        var pages = new int[KvPool.PagesFor(tokens)];
        return cache.TryRent(pages) ? pages : throw new InvalidOperationException("The wave was planned larger than its cache.");
    }

    /// <summary>A cache that holds the wave's prefixes, its longest response, and more responses as far as the budget goes.</summary>
    private KvCache EnsureCache(ScoringWave wave)
    {
        int needed = wave.PrefixPages + wave.LongestResponsePages;
        if (_cache is not null && _cache.Pool.Pages >= needed)
        {
            return _cache;
        }

        long budget = BudgetPages();
        if (needed > budget)
        {
            throw new BadInputException(
                $"Scoring a sequence of up to {MaxLength} tokens needs {FreeMemory.Mebibytes(needed * PageBytes)} MiB for keys and values, but there are {budget * PageBytes >> 20} MiB. Use shorter texts or smaller weights (--dtype int8).");
        }

        _cache?.Dispose();
        _cache = null;
        int pages = (int)Math.Min(budget, Reserved(needed, _hidden.Rows));
        _cache = new KvCache(Model.Backbone.Backend, Model.Backbone.KvShape(Options.KvType), pages);
        return _cache;
    }

    private static int SequencesOf(int rows) => Math.Min(rows, 128);

    // For what a wave needs, or a response of a page to each row of the output if that is more, and for the prefixes of a later wave.
    private static long Reserved(int needed, int sequences) => ScoringWave.MaxPrefixPages + Math.Max(needed, sequences);

    /// <summary>Pages that may be reserved, settled at the first call so that later ones do not count the cache itself as taken.</summary>
    private long BudgetPages() => _budgetPages ??= (Options.KvBudgetBytes ?? FreeMemory.Bytes(Model.Backbone.Backend) / 4) / PageBytes;

    private static void RequireNumbers(IReadOnlyList<ScoringGroup> groups, float[][] rewards)
    {
        for (int g = 0; g < groups.Count; g++)
        {
            int at = Array.FindIndex(rewards[g], reward => !float.IsFinite(reward));
            if (at >= 0)
            {
                throw new BadInputException($"Row {groups[g].Index + 1}: the reward of response {at + 1} is not a finite number; the scorer's weights are damaged.");
            }
        }
    }
}
