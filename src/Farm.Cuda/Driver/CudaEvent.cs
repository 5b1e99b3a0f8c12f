namespace Farm.Cuda.Driver;

/// <summary>A point in a stream that can be waited for and, with timing, measured from.</summary>
internal sealed class CudaEvent : IDisposable
{
    private const uint DisableTiming = 2;
    private nint _handle;

    internal CudaEvent(bool timing = false)
    {
        CudaDriver.Check(CudaApi.cuEventCreate(out _handle, timing ? 0 : DisableTiming), "creating an event");
        Interlocked.Increment(ref Ledger.Events);
    }

    internal void Record(CudaStream stream) => CudaDriver.Check(CudaApi.cuEventRecord(_handle, stream.Handle), "recording an event");

    internal void Synchronize() => CudaDriver.Check(CudaApi.cuEventSynchronize(_handle), "waiting for an event");

    internal double SecondsSince(CudaEvent start)
    {
        CudaDriver.Check(CudaApi.cuEventElapsedTime(out float milliseconds, start._handle, _handle), "reading an event's time");
        return milliseconds / 1e3;
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            // A lost context has taken its objects with it; what it answers here says nothing new.
            _ = CudaApi.cuEventDestroy(_handle);
            _handle = 0;
            Interlocked.Decrement(ref Ledger.Events);
        }
    }
}
