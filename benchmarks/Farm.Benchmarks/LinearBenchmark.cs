using BenchmarkDotNet.Attributes;
using Farm.Core;
using Farm.Cpu;

namespace Farm.Benchmarks;

/// <summary>One linear layer of the TinyLlama shape (2048 to 5632) at decode and prefill widths; ratios are against float32.</summary>
[MemoryDiagnoser]
[ShortRunJob]
public class LinearBenchmark : IDisposable
{
    private const int In = 2048, Out = 5632;
    private CpuBackend _backend = null!;
    private LinearWeight _f32 = null!, _bf16 = null!, _int8 = null!;
    private Arena _arena = null!;
    private Tensor _input, _output;

    [Params(1, 16, 256)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _backend = new CpuBackend(Environment.ProcessorCount);
        IRowSource[] source = [new RandomSource("weight", Out, In)];
        _f32 = _backend.PackLinear(source, DType.F32);
        _bf16 = _backend.PackLinear(source, DType.BF16);
        _int8 = _backend.PackLinear(source, DType.I8);
        _arena = new Arena(_backend, Arena.SizeOf(DType.F32, Rows, In) + Arena.SizeOf(DType.F32, Rows, Out));
        _input = _arena.Take(DType.F32, Rows, In);
        _output = _arena.Take(DType.F32, Rows, Out);
        _backend.Upload<float>(Enumerable.Range(0, Rows * In).Select(i => (float)Math.Sin(i)).ToArray(), _input);
    }

    [Benchmark(Baseline = true)]
    public void FloatWeights() => _backend.Linear(_input, _f32, _output);

    [Benchmark]
    public void Bf16Weights() => _backend.Linear(_input, _bf16, _output);

    [Benchmark]
    public void QuantisedWeights() => _backend.Linear(_input, _int8, _output);

    [GlobalCleanup]
    public void Dispose()
    {
        _f32.Dispose();
        _bf16.Dispose();
        _int8.Dispose();
        _arena.Dispose();
        _backend.Dispose();
        GC.SuppressFinalize(this);
    }
}
