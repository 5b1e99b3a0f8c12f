using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>One decode step of 16 samples of one prompt: launches, graphs, allocation.</summary>
public sealed class DecodeStepTests(TinyLlama models) : IClassFixture<TinyLlama>
{
    private const int Samples = 16, PromptTokens = 100, Warm = 8, Measured = 20;

    [Fact]
    public void A_layer_takes_at_most_eight_launches()
    {
        using var gpu = Simulated.Backend();
        using var step = new Step(gpu, models.Decoder);
        step.Run();
        long before = gpu.Launches;
        step.Run();
        // Beside the layers: the embedding, the language head with its norm, the draw.
        Assert.InRange(gpu.Launches - before, 3, (8 * TinyLlama.Config.Layers) + 3);
    }

    [Fact]
    public void Steps_are_replayed_as_one_graph()
    {
        using var gpu = Simulated.Backend();
        using var step = new Step(gpu, models.Decoder);
        for (int i = 0; i < Warm; i++)
        {
            step.Run();
        }

        long captures = gpu.Queue.Captures, replays = gpu.Queue.Replays;
        for (int i = 0; i < Measured; i++)
        {
            step.Run();
        }

        Assert.Equal(captures, gpu.Queue.Captures);
        Assert.Equal(replays + Measured, gpu.Queue.Replays);
    }

    [Fact]
    public void A_step_allocates_nothing_on_the_managed_heap()
    {
        using var gpu = Simulated.Backend();
        using var step = new Step(gpu, models.Decoder);
        for (int i = 0; i < Warm; i++)
        {
            step.Run();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Measured; i++)
        {
            step.Run();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private sealed class Step : IDisposable
    {
        private static readonly SamplingParameters Sampling = new();
        private readonly IBackend _backend;
        private readonly LlamaModel _model;
        private readonly LlamaWorkspace _workspace;
        private readonly KvPool _pool;
        private readonly ForwardBatch _batch = new(Math.Max(Samples, PromptTokens), Samples, Samples + 2);
        private readonly DeviceMemory _memory;
        private readonly Tensor _keys, _tokens, _logProbs;
        private readonly int[] _hostKeys = new int[Samples * 3], _hostTokens = new int[Samples], _prefix = [0], _page = new int[1], _token = new int[1];
        private readonly float[] _hostLogProbs = new float[Samples];
        private int _length;

        public Step(IBackend backend, string folder)
        {
            _backend = backend;
            using var checkpoint = Checkpoint.Open(folder);
            _model = LlamaModel.Load(backend, checkpoint, TinyLlama.Config, DType.BF16);
            _workspace = _model.CreateWorkspace(_batch.MaxRows, Samples);
            _pool = backend.CreateKvPool(_model.KvShape(), Samples + 1);
            _memory = backend.Allocate(4096);
            _keys = _memory.Tensor(DType.I32, Samples, 3);
            _tokens = _memory.Tensor(DType.I32, 1, Samples, 1024);
            _logProbs = _memory.Tensor(DType.F32, 1, Samples, 2048);
            _batch.Clear();
            _batch.BeginGroup(0, []);
            _batch.Add([.. Enumerable.Range(0, PromptTokens).Select(i => 2 + i)], PromptTokens, _prefix);
            _model.Forward(_batch, _pool, _workspace);
            backend.Synchronize();
        }

        public void Run()
        {
            _length++;
            _batch.Clear();
            _batch.BeginGroup(PromptTokens, _prefix);
            for (int i = 0; i < Samples; i++)
            {
                _page[0] = 1 + i;
                _token[0] = _hostTokens[i];
                _batch.Add(_token, _length, _page);
                _hostKeys[(i * 3) + 1] = i;
                _hostKeys[(i * 3) + 2] = _length;
            }

            var hidden = _model.Forward(_batch, _pool, _workspace);
            var logits = _model.Logits(hidden, _workspace);
            _backend.Upload<int>(_hostKeys, _keys);
            _backend.Sample(logits, Sampling, 9, _keys, _tokens, _logProbs);
            _backend.Download(_tokens, _hostTokens.AsSpan());
            _backend.Download(_logProbs, _hostLogProbs.AsSpan());
        }

        public void Dispose()
        {
            _memory.Dispose();
            _pool.Dispose();
            _workspace.Dispose();
            _model.Dispose();
        }
    }
}
