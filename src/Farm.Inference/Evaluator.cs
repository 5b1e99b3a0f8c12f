using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Inference;

/// <summary>A token and its logit.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Logit">Raw logit.</param>
public readonly record struct TokenLogit(int Id, float Logit);

/// <summary>What a model gives to a continuation it did not draw itself.</summary>
/// <param name="LogProbs">Log-probability of each token given all before it, in nats.</param>
/// <param name="Entropies">Entropy in nats of the distribution each token was drawn from.</param>
public sealed record TokenEvaluation(float[] LogProbs, float[] Entropies);

/// <summary>Runs given token ids through a model: logits after a prompt, log-probabilities of a continuation.</summary>
public sealed class Evaluator : IDisposable
{
    private const int LogitRows = 16;
    private readonly LlamaModel _model;
    private readonly LlamaWorkspace _workspace;
    private readonly DeviceMemory _memory;
    private readonly Tensor _ids;
    private readonly Tensor _logProbs;
    private readonly Tensor _entropies;
    private readonly DType? _kvType;

    /// <summary>An evaluator whose passes have up to <paramref name="rows"/> rows; longer sequences are cut into chunks.</summary>
    public Evaluator(LlamaModel model, int rows = 256, DType? kvType = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        _model = model;
        _kvType = kvType;
        _workspace = model.CreateWorkspace(rows, LogitRows);
        _memory = model.Backend.Allocate(3 * 64 * sizeof(float));
        _ids = _memory.Tensor(DType.I32, 1, LogitRows);
        _logProbs = _memory.Tensor(DType.F32, 1, LogitRows, 64 * sizeof(float));
        _entropies = _memory.Tensor(DType.F32, 1, LogitRows, 128 * sizeof(float));
    }

    /// <summary>Logits of the whole vocabulary after the last prompt token, [V].</summary>
    /// <exception cref="BadInputException">The prompt is empty, too long, or holds ids outside the vocabulary.</exception>
    public float[] Logits(int[] promptIds)
    {
        var logits = new float[_model.Config.VocabularySize];
        Run(promptIds, promptIds.Length - 1, (hidden, _) => _model.Backend.Download(_model.Logits(hidden, _workspace), logits.AsSpan()));
        return logits;
    }

    /// <summary>The <paramref name="count"/> highest logits after the last prompt token, best first, the lower id on a tie.</summary>
    /// <exception cref="BadInputException">The prompt is empty, too long, or holds ids outside the vocabulary.</exception>
    public TokenLogit[] TopLogits(int[] promptIds, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return [.. Logits(promptIds)
            .Select((logit, id) => new TokenLogit(id, logit))
            .OrderByDescending(token => token.Logit).ThenBy(token => token.Id)
            .Take(count)];
    }

    /// <summary>Log-probabilities of <paramref name="continuationIds"/> after the prompt, from logits divided by <paramref name="temperature"/>.</summary>
    /// <exception cref="BadInputException">The prompt is empty, both together too long, or an id is outside the vocabulary.</exception>
    public TokenEvaluation LogProbs(int[] promptIds, int[] continuationIds, float temperature = 1f)
    {
        ArgumentNullException.ThrowIfNull(promptIds);
        ArgumentNullException.ThrowIfNull(continuationIds);
        var result = new TokenEvaluation(new float[continuationIds.Length], new float[continuationIds.Length]);
        if (continuationIds.Length == 0)
        {
            return result;
        }

        CheckIds(continuationIds);
        CheckIds(promptIds);
        Run([.. promptIds, .. continuationIds.AsSpan(0, continuationIds.Length - 1)], promptIds.Length - 1, (hidden, first) =>
        {
            var backend = _model.Backend;
            int count = hidden.Rows;
            var (ids, logProbs, entropies) = (_ids.SliceColumns(0, count), _logProbs.SliceColumns(0, count), _entropies.SliceColumns(0, count));
            backend.Upload<int>(continuationIds.AsSpan(first, count), ids);
            backend.LogProbGather(_model.Logits(hidden, _workspace), ids, temperature, logProbs, entropies);
            backend.Download(logProbs, result.LogProbs.AsSpan(first, count));
            backend.Download(entropies, result.Entropies.AsSpan(first, count));
        });
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory.Dispose();
        _workspace.Dispose();
    }

    /// <summary>
    /// Runs the ids through the model and hands over the hidden rows from <paramref name="firstWanted"/> on, in blocks that fit the
    /// logits, each with its offset from there.
    /// </summary>
    private void Run(int[] ids, int firstWanted, Action<Tensor, int> use)
    {
        CheckIds(ids);
        if (ids.Length == 0 || firstWanted < 0 || ids.Length > _model.MaxPositions)
        {
            throw new BadInputException(ids.Length == 0 || firstWanted < 0
                ? "The prompt has no tokens."
                : $"The sequence is {ids.Length} tokens long, longer than the model's context of {_model.MaxPositions}.");
        }

        int[] pages = new int[KvPool.PagesFor(ids.Length)];
        using var cache = new KvCache(_model.Backend, _model.KvShape(_kvType), pages.Length);
        cache.TryRent(pages);
        var batch = new ForwardBatch(Math.Min(ids.Length, _workspace.MaxRows), 1, pages.Length);
        for (int done = 0; done < ids.Length;)
        {
            int take = Math.Min(batch.MaxRows, ids.Length - done);
            batch.Clear();
            batch.BeginGroup(0, []);
            batch.Add(ids.AsSpan(done, take), done + take, pages);
            var hidden = _model.Forward(batch, cache.Pool, _workspace);
            for (int row = Math.Max(0, firstWanted - done); row < take; row += LogitRows)
            {
                use(hidden.SliceRows(row, Math.Min(LogitRows, take - row)), done + row - firstWanted);
            }

            done += take;
        }
    }

    private void CheckIds(int[] ids)
    {
        foreach (int id in ids)
        {
            if (id < 0 || id >= _model.Config.VocabularySize)
            {
                throw new BadInputException($"Token id {id} is outside the model's vocabulary of {_model.Config.VocabularySize}.");
            }
        }
    }
}
