namespace Farm.Cuda.Driver;

/// <summary>Host memory that the device copies from and to without a detour.</summary>
internal sealed unsafe class PinnedBuffer : IDisposable
{
    internal PinnedBuffer(long bytes)
    {
        var status = CudaApi.cuMemAllocHost(out nint address, (nuint)bytes);
        if (status != CudaResult.Success)
        {
            throw CudaErrors.Exception(status, $"pinning {bytes >> 10} KiB of host memory");
        }

        Address = address;
        Bytes = bytes;
        Interlocked.Increment(ref Ledger.Pinned);
    }

    internal nint Address { get; private set; }

    internal long Bytes { get; }

    internal Span<byte> Span(long offset, int length) => new((byte*)Address + offset, length);

    public void Dispose()
    {
        if (Address != 0)
        {
            _ = CudaApi.cuMemFreeHost(Address);
            Address = 0;
            Interlocked.Decrement(ref Ledger.Pinned);
        }
    }
}
