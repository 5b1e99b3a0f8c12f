using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>
/// Pinned memory on the way to and from the device. Small uploads are cut one after another from a region that is free again when the stream has been
/// waited for; large ones go through two halves of a ring, so that one is filled while the other is sent.
/// </summary>
internal sealed class Staging(CudaDevice device, CommandQueue queue) : IDisposable
{
    private const int SmallRegion = 1 << 20, SmallTransfer = 64 << 10, Half = 4 << 20;
    private readonly CudaEvent?[] _sent = new CudaEvent?[2];
    private PinnedBuffer? _small, _ring, _answer;
    private int _used, _turn;

    /// <summary>Copies host bytes to the device; they may change as soon as this returns.</summary>
    internal void Upload(ReadOnlySpan<byte> source, nint destination)
    {
        device.Enter();
        if (source.Length <= SmallTransfer)
        {
            int size = (source.Length + 255) & ~255;
            _small ??= new PinnedBuffer(SmallRegion);
            if (_used + size > SmallRegion)
            {
                Wait();
            }

            source.CopyTo(_small.Span(_used, source.Length));
            queue.Upload(_small.Address + _used, destination, source.Length);
            _used += size;
            return;
        }

        queue.Flush();
        _ring ??= new PinnedBuffer(2 * Half);
        for (int done = 0; done < source.Length; done += Half)
        {
            var chunk = source.Slice(done, Math.Min(Half, source.Length - done));
            var sent = _sent[_turn] ??= new CudaEvent();
            // An event that was never recorded is done at once.
            sent.Synchronize();
            chunk.CopyTo(_ring.Span(_turn * Half, chunk.Length));
            CudaDriver.Check(CudaApi.cuMemcpyHtoDAsync(destination + done, _ring.Address + (_turn * Half), (nuint)chunk.Length, queue.Stream.Handle), "copying to the GPU");
            sent.Record(queue.Stream);
            _turn ^= 1;
        }
    }

    /// <summary>Waits for everything before and copies device bytes to the host.</summary>
    internal void Download(nint source, Span<byte> destination)
    {
        queue.Flush();
        device.Enter();
        if (destination.Length > SmallTransfer)
        {
            DownloadLarge(source, destination);
            return;
        }

        _answer ??= new PinnedBuffer(SmallTransfer);
        if (destination.Length > 0)
        {
            CudaDriver.Check(CudaApi.cuMemcpyDtoHAsync(_answer.Address, source, (nuint)destination.Length, queue.Stream.Handle), "copying from the GPU");
        }

        Wait();
        _answer.Span(0, destination.Length).CopyTo(destination);
    }

    /// <summary>Waits for the stream; what was staged is free again.</summary>
    internal void Wait()
    {
        queue.Wait();
        _used = 0;
    }

    public void Dispose()
    {
        _small?.Dispose();
        _ring?.Dispose();
        _answer?.Dispose();
        _sent[0]?.Dispose();
        _sent[1]?.Dispose();
    }

    private void DownloadLarge(nint source, Span<byte> destination)
    {
        _ring ??= new PinnedBuffer(2 * Half);
        for (int done = 0; done < destination.Length; done += 2 * Half)
        {
            int size = Math.Min(2 * Half, destination.Length - done);
            Wait();
            CudaDriver.Check(CudaApi.cuMemcpyDtoHAsync(_ring.Address, source + done, (nuint)size, queue.Stream.Handle), "copying from the GPU");
            Wait();
            _ring.Span(0, size).CopyTo(destination[done..]);
        }
    }
}
