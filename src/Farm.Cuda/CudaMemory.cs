using Farm.Core;
using Farm.Cuda.Driver;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

/// <summary>Memory of a GPU; keeps the device's context alive until it is freed.</summary>
internal sealed class CudaMemory : DeviceMemory
{
    private readonly CudaDevice _device;
    private readonly CommandQueue _queue;
    private readonly bool _isShape;

    private CudaMemory(CudaDevice device, CommandQueue queue, nint address, long bytes, bool isShape)
        : base(address, bytes)
    {
        _device = isShape ? device : device.Share();
        _queue = queue;
        _isShape = isShape;
        if (!isShape)
        {
            Interlocked.Increment(ref Ledger.Buffers);
            Ledger.Hold(bytes);
        }
    }

    /// <summary>A size without memory behind it, for measuring what operations take.</summary>
    internal static CudaMemory OfShape(CudaDevice device, CommandQueue queue, nint address, long bytes) => new(device, queue, address, bytes, isShape: true);

    /// <summary>Uninitialised memory.</summary>
    /// <exception cref="BadInputException">The GPU has not so much left; the message says how much it has and what to change.</exception>
    internal static CudaMemory Create(CudaDevice device, CommandQueue queue, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        device.Enter();
        var status = CudaApi.cuMemAlloc(out nint address, (nuint)bytes);
        if (status == CudaResult.OutOfMemory)
        {
            var (free, total) = device.Memory();
            throw new BadInputException(
                $"GPU {device.Ordinal} has no {(bytes + (1 << 20) - 1) >> 20} MiB left for a buffer: {free >> 20} of {total >> 20} MiB are free. "
                + "Decode fewer sequences at once (--batch-sequences), use shorter prompts or smaller weights (--dtype int8), train with less at a time (--per-device-train-batch-size, --step-per-device-batch-size, --recompute, --layout lora), or stop what else runs on the GPU.");
        }

        CudaDriver.Check(status, "allocating memory");
        return new CudaMemory(device, queue, address, bytes, isShape: false);
    }

    /// <inheritdoc/>
    protected override void Free()
    {
        if (_isShape)
        {
            return;
        }

        try
        {
            _device.Enter();
            // Commands not yet handed over may still name this memory; the driver itself waits for those it has.
            _queue.Flush();
        }
        catch (CudaException)
        {
            // The next wait says so too; freeing goes on.
        }
        finally
        {
            _ = CudaApi.cuMemFree(Address);
            Interlocked.Decrement(ref Ledger.Buffers);
            Interlocked.Add(ref Ledger.Bytes, -Bytes);
            _device.Dispose();
        }
    }
}
