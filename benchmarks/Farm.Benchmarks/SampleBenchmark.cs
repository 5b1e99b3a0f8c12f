using BenchmarkDotNet.Attributes;
using Farm.Core;
using Farm.Cpu;

namespace Farm.Benchmarks;

/// <summary>Drawing 16 tokens from a vocabulary of 32,000: what each filter costs over plain temperature 1.</summary>
[MemoryDiagnoser]
[ShortRunJob]
public class SampleBenchmark : IDisposable
{
    private const int Rows = 16, Vocabulary = 32000;
    private readonly SamplingParameters _plain = new(), _topK = new() { TopK = 40 }, _topP = new() { TopP = 0.9f }, _greedy = new() { Temperature = 0 };
    private CpuBackend _backend = null!;
    private Arena _arena = null!;
    private Tensor _logits, _keys, _tokens, _logprobs;

    [GlobalSetup]
    public void SetUp()
    {
        _backend = new CpuBackend(Environment.ProcessorCount);
        _arena = new Arena(_backend, Arena.SizeOf(DType.F32, Rows, Vocabulary) + 4096);
        _logits = _arena.Take(DType.F32, Rows, Vocabulary);
        _keys = _arena.Take(DType.I32, Rows, 3);
        _tokens = _arena.Take(DType.I32, 1, Rows);
        _logprobs = _arena.Take(DType.F32, 1, Rows);
        _backend.Upload<float>(Enumerable.Range(0, Rows * Vocabulary).Select(i => 8 * (float)Philox.Uniform(3, (uint)i, 0, 0)).ToArray(), _logits);
        _backend.Upload<int>(Enumerable.Range(0, Rows * 3).ToArray(), _keys);
    }

    [Benchmark(Baseline = true)]
    public void Temperature1() => _backend.Sample(_logits, _plain, 1, _keys, _tokens, _logprobs);

    [Benchmark]
    public void Greedy() => _backend.Sample(_logits, _greedy, 1, _keys, _tokens, _logprobs);

    [Benchmark]
    public void TopK40() => _backend.Sample(_logits, _topK, 1, _keys, _tokens, _logprobs);

    [Benchmark]
    public void TopP90() => _backend.Sample(_logits, _topP, 1, _keys, _tokens, _logprobs);

    [GlobalCleanup]
    public void Dispose()
    {
        _arena.Dispose();
        _backend.Dispose();
        GC.SuppressFinalize(this);
    }
}
