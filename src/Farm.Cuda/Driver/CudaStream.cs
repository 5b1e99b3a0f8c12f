namespace Farm.Cuda.Driver;

/// <summary>A queue of work on the device, in order.</summary>
internal sealed class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;

    internal CudaStream()
    {
        CudaDriver.Check(CudaApi.cuStreamCreate(out nint handle, NonBlocking), "creating a stream");
        Handle = handle;
        Interlocked.Increment(ref Ledger.Streams);
    }

    internal nint Handle { get; private set; }

    public void Dispose()
    {
        if (Handle != 0)
        {
            _ = CudaApi.cuStreamDestroy(Handle);
            Handle = 0;
            Interlocked.Decrement(ref Ledger.Streams);
        }
    }
}
