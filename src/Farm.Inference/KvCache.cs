using Farm.Core;

namespace Farm.Inference;

/// <summary>
/// Lends the pages of a <see cref="KvPool"/> to sequences. A prompt's pages are rented once however many samples read them. Pages
/// given back last are lent first, so memory that was never needed is never touched.
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly int[] _free;
    private readonly bool[] _lent;

    /// <summary>Reserves <paramref name="pages"/> pages on the device.</summary>
    public KvCache(IBackend backend, KvShape shape, int pages)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentOutOfRangeException.ThrowIfLessThan(pages, 1);
        Pool = backend.CreateKvPool(shape, pages);
        _free = new int[pages];
        _lent = new bool[pages];
        for (int i = 0; i < pages; i++)
        {
            _free[i] = pages - 1 - i;
        }

        FreePages = pages;
    }

    /// <summary>The pages.</summary>
    public KvPool Pool { get; }

    /// <summary>Pages that can be rented now.</summary>
    public int FreePages { get; private set; }

    /// <summary>Pages rented now.</summary>
    public int UsedPages => _free.Length - FreePages;

    /// <summary>The most pages that were rented at once.</summary>
    public int PeakPages { get; private set; }

    /// <summary>Fills <paramref name="pages"/> with rented page numbers, or rents none and returns false if there are too few.</summary>
    public bool TryRent(Span<int> pages)
    {
        if (pages.Length > FreePages)
        {
            return false;
        }

        for (int i = 0; i < pages.Length; i++)
        {
            pages[i] = _free[--FreePages];
            _lent[pages[i]] = true;
        }

        PeakPages = Math.Max(PeakPages, UsedPages);
        return true;
    }

    /// <summary>Gives rented pages back.</summary>
    /// <exception cref="InvalidOperationException">A page is not rented.</exception>
    public void Return(ReadOnlySpan<int> pages)
    {
        for (int i = pages.Length - 1; i >= 0; i--)
        {
            if (!_lent[pages[i]])
            {
                throw new InvalidOperationException($"K/V page {pages[i]} is not rented.");
            }

            _lent[pages[i]] = false;
            _free[FreePages++] = pages[i];
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Pool.Dispose();
}
