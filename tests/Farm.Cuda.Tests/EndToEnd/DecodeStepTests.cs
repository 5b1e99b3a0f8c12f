using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>One decode step of the samples of one prompt or of many: launches, graphs, allocation.</summary>
public sealed class DecodeStepTests(TinyLlama models) : IClassFixture<TinyLlama>
{
    private const int Warm = 8, Measured = 20;

    public static IEnumerable<object[]> Steps() =>
        from type in new[] { DType.BF16, DType.I8, DType.F32 }
        from rounded in type == DType.BF16 ? new[] { false, true } : [false]
        from shape in new (int Prompts, int Samples)[] { (1, 2), (1, 16), (1, 65), (8, 16), (32, 16) }
        select new object[] { type, rounded, shape.Prompts, shape.Samples };

    // Few rows and many: skinny products, dense ones of one block of rows that is not full, of one that is, and of four.
    [Theory]
    [MemberData(nameof(Steps))]
    public void A_layer_takes_six_or_seven_launches_whatever_the_number_of_rows(DType type, bool rounded, int prompts, int samples)
    {
        using var simulated = Simulated.Backend();
        using var gpu = new CudaBackend(simulator: true, bf16Activations: rounded);
        using var step = new Step(gpu, models.Decoder, type, prompts, samples, promptTokens: 20);
        step.Run();
        long before = gpu.Launches;
        step.Run();
        // The samples of a prompt are attended over in one launch; in two where they are few, and over pages of float32.
        int layer = samples < 5 || type == DType.F32 ? 7 : 6;
        // Beside the layers: the embedding, the language head with its norm, the draw.
        Assert.Equal((layer * TinyLlama.Config.Layers) + 3, gpu.Launches - before);
    }

    [Theory]
    [InlineData(1, 16)]
    [InlineData(5, 16)]
    public void Steps_are_replayed_as_one_graph(int prompts, int samples)
    {
        using var gpu = Simulated.Backend();
        using var step = new Step(gpu, models.Decoder, DType.BF16, prompts, samples, promptTokens: 100);
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

    [Theory]
    [InlineData(1, 16)]
    [InlineData(5, 16)]
    public void A_step_allocates_nothing_on_the_managed_heap(int prompts, int samples)
    {
        using var gpu = Simulated.Backend();
        using var step = new Step(gpu, models.Decoder, DType.BF16, prompts, samples, promptTokens: 100);
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
        private readonly ForwardBatch _batch;
        private readonly DeviceMemory _memory;
        private readonly Tensor _keys, _tokens, _logProbs;
        private readonly int[] _hostKeys, _hostTokens, _page = new int[1], _token = new int[1];
        private readonly int[][] _prefixes;
        private readonly float[] _hostLogProbs;
        private readonly int _samples, _promptTokens;
        private int _length;

        public Step(IBackend backend, string folder, DType type, int prompts, int samples, int promptTokens)
        {
            (_backend, _samples, _promptTokens) = (backend, samples, promptTokens);
            int rows = prompts * samples, pages = KvPool.PagesFor(promptTokens);
            using var checkpoint = Checkpoint.Open(folder);
            _model = LlamaModel.Load(backend, checkpoint, TinyLlama.Config, type);
            _batch = new ForwardBatch(Math.Max(rows, prompts * promptTokens), Math.Max(rows, prompts), rows + (prompts * (pages + 1)));
            _workspace = _model.CreateWorkspace(_batch.MaxRows, rows);
            _pool = backend.CreateKvPool(_model.KvShape(), rows + (prompts * pages));
            _memory = backend.Allocate(20L * rows);
            _keys = _memory.Tensor(DType.I32, rows, 3);
            _tokens = _memory.Tensor(DType.I32, 1, rows, 12L * rows);
            _logProbs = _memory.Tensor(DType.F32, 1, rows, 16L * rows);
            (_hostKeys, _hostTokens, _hostLogProbs) = (new int[rows * 3], new int[rows], new float[rows]);
            _prefixes = [.. Enumerable.Range(0, prompts).Select(p => Enumerable.Range(p * pages, pages).ToArray())];
            _batch.Clear();
            foreach (int[] prefix in _prefixes)
            {
                _batch.BeginGroup(0, []);
                _batch.Add([.. Enumerable.Range(0, promptTokens).Select(i => 2 + i)], promptTokens, prefix);
            }

            _model.Forward(_batch, _pool, _workspace);
            backend.Synchronize();
        }

        public void Run()
        {
            _length++;
            _batch.Clear();
            int first = _prefixes.Length * _prefixes[0].Length;
            for (int p = 0, i = 0; p < _prefixes.Length; p++)
            {
                _batch.BeginGroup(_promptTokens, _prefixes[p]);
                for (int s = 0; s < _samples; s++, i++)
                {
                    _page[0] = first + i;
                    _token[0] = _hostTokens[i];
                    _batch.Add(_token, _length, _page);
                    _hostKeys[(i * 3) + 1] = i;
                    _hostKeys[(i * 3) + 2] = _length;
                }
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
