using Farm.Core;

namespace Farm.Cuda;

/// <summary>
/// Key/value pages on a GPU. A page holds, one after another, layers; in each, keys then values; in each, heads; in each,
/// [PageTokens, Pitch] row-major, rows of whole 16 bytes for the kernels' copies. Nothing is filled: a cell holds garbage until it is written.
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

    /// <summary>Elements from a token to the next of a head: the head's width, rounded up to 16 bytes.</summary>
    internal int Pitch => PitchOf(Shape);

    /// <summary>Elements from a page to the next.</summary>
    internal long PageStride => 2L * Shape.Layers * Shape.KeyValueHeads * PageTokens * Pitch;

    /// <summary>Elements from a page's first byte to the keys of a layer; the values follow them after <see cref="ValueOffset"/> more.</summary>
    internal long LayerOffset(int layer) => 2L * layer * Shape.KeyValueHeads * PageTokens * Pitch;

    /// <summary>Elements from a layer's keys to its values.</summary>
    internal long ValueOffset => (long)Shape.KeyValueHeads * PageTokens * Pitch;

    internal static long BytesOfPage(KvShape shape) => 2L * shape.Layers * shape.KeyValueHeads * PageTokens * PitchOf(shape) * shape.DType.Size();

    private static int PitchOf(KvShape shape)
    {
        int lot = 16 / shape.DType.Size();
        return (shape.HeadDim + lot - 1) / lot * lot;
    }

    protected override void Dispose(bool disposing) => _memory.Dispose();
}
