using Farm.Core;
using Farm.Reference;

namespace Farm.Inference.Tests;

public class KvCacheTests
{
    private static readonly KvShape Shape = new(1, 1, 2, DType.F32);

    [Fact]
    public void Pages_are_lent_once_and_counted()
    {
        using var cache = new KvCache(new ReferenceBackend(), Shape, 5);
        int[] a = new int[3], b = new int[2];
        Assert.True(cache.TryRent(a));
        Assert.True(cache.TryRent(b));
        Assert.Equal([0, 1, 2, 3, 4], a.Concat(b).Order());
        Assert.Equal(5, cache.UsedPages);
        cache.Return(a);
        cache.Return(b);
        Assert.Equal(0, cache.UsedPages);
        Assert.Equal(5, cache.PeakPages);
    }

    [Fact]
    public void Too_few_pages_lend_none()
    {
        using var cache = new KvCache(new ReferenceBackend(), Shape, 2);
        Assert.False(cache.TryRent(new int[3]));
        Assert.Equal(2, cache.FreePages);
        Assert.True(cache.TryRent([]));
    }

    [Fact]
    public void The_page_given_back_last_is_lent_first()
    {
        using var cache = new KvCache(new ReferenceBackend(), Shape, 9);
        int[] a = new int[2], b = new int[1];
        cache.TryRent(a);
        cache.Return(a);
        cache.TryRent(b);
        Assert.Equal(a[0], b[0]);
    }

    [Fact]
    public void A_page_cannot_be_given_back_twice()
    {
        using var cache = new KvCache(new ReferenceBackend(), Shape, 2);
        int[] a = new int[1];
        cache.TryRent(a);
        cache.Return(a);
        Assert.Throws<InvalidOperationException>(() => cache.Return(a));
    }
}
