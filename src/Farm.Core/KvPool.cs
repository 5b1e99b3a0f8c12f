namespace Farm.Core;

/// <summary>Shape of a key/value pool.</summary>
/// <param name="Layers">Decoder layers.</param>
/// <param name="KeyValueHeads">Key/value heads of a layer.</param>
/// <param name="HeadDim">Width of a head, even.</param>
/// <param name="DType">F32 or BF16.</param>
public readonly record struct KvShape(int Layers, int KeyValueHeads, int HeadDim, DType DType);

/// <summary>
/// Keys and values of all layers in pages of <see cref="PageTokens"/> tokens. A sequence is a list of pages; a prompt shared by n
/// samples is one list of pages that all of them read. A <em>slot</em> is page * PageTokens + offset. The inner layout of a
/// page is the backend's own.
/// </summary>
public abstract class KvPool : IDisposable
{
    /// <summary>Tokens of one page.</summary>
    public const int PageTokens = 128;

    /// <summary>Creates a pool of that shape.</summary>
    protected KvPool(KvShape shape, int pages)
    {
        Shape = shape;
        Pages = pages;
    }

    /// <summary>Shape of a page.</summary>
    public KvShape Shape { get; }

    /// <summary>Number of pages.</summary>
    public int Pages { get; }

    /// <summary>Bytes of one page over all layers, keys and values.</summary>
    public abstract long PageBytes { get; }

    /// <summary>Pages that <paramref name="tokens"/> tokens take.</summary>
    public static int PagesFor(int tokens) => (tokens + PageTokens - 1) / PageTokens;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the pool.</summary>
    protected abstract void Dispose(bool disposing);
}
