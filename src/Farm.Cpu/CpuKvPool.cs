using Farm.Core;

namespace Farm.Cpu;

/// <summary>Pages whose keys and values lie as panels, so that attention multiplies them with the kernels of linear layers.</summary>
internal sealed class CpuKvPool : KvPool
{
    private readonly CpuMemory _memory;

    internal CpuKvPool(KvShape shape, int pages)
        : base(shape, pages)
    {
        PageBytes = Native.farm_kv_head_bytes((int)shape.DType, shape.HeadDim) * shape.Layers * shape.KeyValueHeads;
        _memory = CpuMemory.Create(Math.Max(PageBytes * pages, 64));
    }

    public override long PageBytes { get; }

    internal Native.Pool Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_memory.Address == 0, this);
            return new Native.Pool
            {
                Data = _memory.Address,
                DType = (int)Shape.DType,
                Layers = Shape.Layers,
                Heads = Shape.KeyValueHeads,
                HeadDim = Shape.HeadDim,
                Pages = Pages,
            };
        }
    }

    protected override void Dispose(bool disposing) => _memory.Dispose();
}
