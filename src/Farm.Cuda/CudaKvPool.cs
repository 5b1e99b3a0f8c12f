using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// Key/value pages on a GPU. A page holds, one after another, layers; in each, keys then values; in each, heads; in each,
/// [PageTokens, HeadDim] row-major. Nothing is filled: a cell holds garbage until it is written.
/// </summary>
internal sealed class CudaKvPool : KvPool
{
    private readonly CudaMemory _memory;

    internal CudaKvPool(KvShape shape, int pages, CudaMemory memory)
        : base(shape, pages)
    {
        _memory = memory;
    }

    public override long PageBytes => BytesOfPage(Shape);

    /// <summary>First byte of page 0.</summary>
    internal nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_memory.Address == 0, this);
            return _memory.Address;
        }
    }

    /// <summary>Elements from a page to the next.</summary>
    internal long PageStride => 2L * Shape.Layers * Shape.KeyValueHeads * PageTokens * Shape.HeadDim;

    /// <summary>Elements from a page's first byte to the keys of a layer; the values follow them after <see cref="ValueOffset"/> more.</summary>
    internal long LayerOffset(int layer) => 2L * layer * Shape.KeyValueHeads * PageTokens * Shape.HeadDim;

    /// <summary>Elements from a layer's keys to its values.</summary>
    internal long ValueOffset => (long)Shape.KeyValueHeads * PageTokens * Shape.HeadDim;

    internal static long BytesOfPage(KvShape shape) => 2L * shape.Layers * shape.KeyValueHeads * PageTokens * shape.HeadDim * shape.DType.Size();

    protected override void Dispose(bool disposing) => _memory.Dispose();
}
