using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Llama;

namespace Farm.Roofline;

/// <summary>Counts the passes of best-of-n: the prefill of a prompt and a decode step, by the model's own forward pass.</summary>
internal sealed class DecodeCounter : IDisposable
{
    private static readonly SamplingParameters Sampling = new();
    private readonly CountingBackend _backend;
    private readonly string _name, _activations;
    private readonly LlamaModel _model;

    public DecodeCounter(CountingBackend backend, string name, ModelConfig config, bool bf16Activations)
    {
        (_backend, _name, _activations) = (backend, name, bf16Activations ? "bf16" : "f32");
        using var checkpoint = new BlankCheckpoint(config);
        backend.Loading = true;
        _model = LlamaModel.Load(backend, checkpoint, config, DType.BF16, maxPositions: 4096);
        backend.Loading = false;
    }

    /// <summary>The prefill of one prompt; the language head is the first decode step's.</summary>
    public PassCount Prefill(int promptTokens)
    {
        int pages = KvPool.PagesFor(promptTokens);
        using var workspace = _model.CreateWorkspace(promptTokens, 1);
        using var pool = _backend.CreateKvPool(_model.KvShape(), pages);
        var batch = new ForwardBatch(promptTokens, 1, pages);
        batch.BeginGroup(0, []);
        batch.Add(Ids(promptTokens, _model.Config.VocabularySize), promptTokens, [.. Enumerable.Range(0, pages)]);
        _backend.Begin();
        _model.Forward(batch, pool, workspace);
        _backend.Synchronize();
        return new PassCount(_name, "prefill", _activations, 1, 1, promptTokens, 0, promptTokens, 0, _backend.Launches);
    }

    /// <summary>A decode step in which every response has <paramref name="position"/> tokens, the one now computed among them.</summary>
    public PassCount Step(int prompts, int samples, int promptTokens, int position)
    {
        int rows = prompts * samples, prefix = KvPool.PagesFor(promptTokens), suffix = KvPool.PagesFor(position);
        using var workspace = _model.CreateWorkspace(rows, rows);
        using var pool = _backend.CreateKvPool(_model.KvShape(), (prompts * prefix) + (rows * suffix));
        using var memory = _backend.Allocate(rows * 5L * sizeof(int));
        Tensor keys = memory.Tensor(DType.I32, rows, 3), tokens = memory.Tensor(DType.I32, 1, rows, rows * 3L * sizeof(int)), logProbs = memory.Tensor(DType.F32, 1, rows, rows * 4L * sizeof(int));
        var batch = new ForwardBatch(rows, rows, pool.Pages);
        int next = 0;
        int[] Take(int count) => [.. Enumerable.Range((next += count) - count, count)];
        for (int p = 0; p < prompts; p++)
        {
            batch.BeginGroup(promptTokens, Take(prefix));
            for (int s = 0; s < samples; s++)
            {
                batch.Add([(batch.Rows * 31) % _model.Config.VocabularySize], position, Take(suffix));
            }
        }

        _backend.Begin();
        var hidden = _model.Forward(batch, pool, workspace);
        _backend.Sample(_model.Logits(hidden, workspace), Sampling, 1, keys, tokens, logProbs);
        _backend.Synchronize();
        return new PassCount(_name, "decode", _activations, prompts, samples, promptTokens, position, rows, 0, _backend.Launches);
    }

    /// <summary>Different token ids, as text has them: rows of tables are read once for each.</summary>
    internal static int[] Ids(int count, int vocabulary) => [.. Enumerable.Range(0, count).Select(i => (int)(i * 31L % vocabulary))];

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();
}
