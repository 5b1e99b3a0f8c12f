using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Inference.Tests;

/// <summary>Computes nothing and allocates nothing per call: drawn tokens run through the ids, so samples end at their own steps.</summary>
internal sealed class NullBackend : IBackend
{
    private int _draws;

    /// <summary>Called at every draw.</summary>
    public Action? Drawing { get; set; }

    public string Name => "null";

    public DeviceMemory Allocate(long bytes) => new NoMemory(bytes);

    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
    }

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        if (typeof(T) == typeof(int))
        {
            foreach (ref int token in MemoryMarshal.Cast<T, int>(destination))
            {
                token = _draws++ % 37;
            }
        }
    }

    public void Synchronize()
    {
    }

    public void Copy(Tensor source, Tensor destination)
    {
    }

    public void GatherRows(Tensor input, Tensor rows, Tensor output)
    {
    }

    public LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated) => new NoWeight();

    public KvPool CreateKvPool(KvShape shape, int pages) => new NoPool(shape, pages);

    public void Embedding(Tensor ids, Tensor table, Tensor output)
    {
    }

    public void Embedding(Tensor ids, LinearWeight table, Tensor output)
    {
    }

    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output)
    {
    }

    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false, Tensor normWeight = default, float normEpsilon = 0)
    {
    }

    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine, KvPool? pool, int layer, Tensor slots)
    {
    }

    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output)
    {
    }

    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs, Tensor seen = default) => Drawing?.Invoke();

    public void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default)
    {
    }

    public void Dispose()
    {
    }

    private sealed class NoMemory(long bytes) : DeviceMemory(64, bytes)
    {
        protected override void Free()
        {
        }
    }

    private sealed class NoWeight : LinearWeight
    {
        public override int InFeatures => 0;

        public override int OutFeatures => 0;

        public override DType DType => DType.F32;

        public override LinearLayout Layout => LinearLayout.Concatenated;

        public override long Bytes => 0;

        protected override void Dispose(bool disposing)
        {
        }
    }

    private sealed class NoPool(KvShape shape, int pages) : KvPool(shape, pages)
    {
        public override long PageBytes => 1;

        protected override void Dispose(bool disposing)
        {
        }
    }
}
