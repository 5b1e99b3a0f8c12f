using System.Text;
using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda.Driver;

/// <summary>
/// A GPU with its primary context and the modules loaded into it, shared by the backends of a process and given back with the last of them.
/// </summary>
internal sealed unsafe class CudaDevice : IDisposable
{
    private static readonly Lock Gate = new();
    private static readonly Dictionary<int, CudaDevice> Devices = [];

    [ThreadStatic]
    private static nint _current;

    private readonly Dictionary<string, CudaModule> _modules = new(StringComparer.Ordinal);
    private readonly LoadedKernel?[] _kernels = new LoadedKernel?[KernelTable.All.Count];
    private readonly nint _context;
    private int _users;

    private CudaDevice(int ordinal, int handle)
    {
        Ordinal = ordinal;
        Handle = handle;
        byte* name = stackalloc byte[256];
        CudaDriver.Check(CudaApi.cuDeviceGetName(name, 256, handle), "reading the GPU's name");
        Name = Encoding.UTF8.GetString(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
        ComputeCapability = (Attribute(75), Attribute(76));
        if (ComputeCapability.Major < 8)
        {
            throw new BadInputException($"GPU {ordinal}, {Name}, has compute capability {ComputeCapability.Major}.{ComputeCapability.Minor}; Farm's kernels need 8.0 (Ampere) or later.");
        }

        Limits = new DeviceLimits(
            Multiprocessors: Attribute(16), ThreadsPerMultiprocessor: Attribute(39), RegistersPerMultiprocessor: Attribute(82), SharedPerMultiprocessor: Attribute(81),
            SharedPerBlock: Attribute(97), BlocksPerMultiprocessor: Attribute(106, 32), ClockKilohertz: Attribute(13, 0), MemoryClockKilohertz: Attribute(36, 0), MemoryBusBits: Attribute(37, 0));
        CudaDriver.Check(CudaApi.cuDeviceTotalMem(out nuint bytes, handle), "reading the GPU's memory size");
        TotalBytes = (long)bytes;
        CudaDriver.Check(CudaApi.cuDevicePrimaryCtxRetain(out _context, handle), "creating the GPU's context");
        Interlocked.Increment(ref Ledger.Contexts);
    }

    internal int Ordinal { get; }

    internal int Handle { get; }

    internal string Name { get; }

    internal (int Major, int Minor) ComputeCapability { get; }

    internal DeviceLimits Limits { get; }

    internal long TotalBytes { get; }

    /// <summary>Modules loaded so far, with what the driver's compiler said of them.</summary>
    internal IEnumerable<CudaModule> Modules
    {
        get
        {
            lock (_modules)
            {
                return [.. _modules.Values];
            }
        }
    }

    /// <summary>The device of that number; the driver is in use already.</summary>
    /// <exception cref="BadInputException">There is no such GPU, or it is too old.</exception>
    internal static CudaDevice Open(int ordinal)
    {
        lock (Gate)
        {
            if (!Devices.TryGetValue(ordinal, out var device))
            {
                int count = CudaDriver.DeviceCount();
                if (ordinal < 0 || ordinal >= count)
                {
                    throw new BadInputException(count == 0
                        ? $"The CUDA driver {CudaDriver.LibraryName} finds no GPU on this machine; use --device cpu, or --device cuda-sim to try the kernels without one."
                        : $"There is no GPU {ordinal}; the driver shows {count}, numbered from 0.");
                }

                CudaDriver.Check(CudaApi.cuDeviceGet(out int handle, ordinal), $"opening GPU {ordinal}");
                device = new CudaDevice(ordinal, handle);
                Devices.Add(ordinal, device);
            }

            device._users++;
            return device;
        }
    }

    /// <summary>One more user, who disposes it as well.</summary>
    internal CudaDevice Share()
    {
        lock (Gate)
        {
            _users++;
            return this;
        }
    }

    /// <summary>Makes the context this thread's; cheap when it is.</summary>
    internal void Enter()
    {
        if (_current != _context)
        {
            CudaDriver.Check(CudaApi.cuCtxSetCurrent(_context), "selecting the GPU's context");
            _current = _context;
        }
    }

    /// <summary>Free and total bytes of the device's memory now.</summary>
    internal (long Free, long Total) Memory()
    {
        Enter();
        CudaDriver.Check(CudaApi.cuMemGetInfo(out nuint free, out nuint total), "reading the GPU's free memory");
        return ((long)free, (long)total);
    }

    /// <summary>The kernel, its module loaded at the first call; fails where table and PTX disagree.</summary>
    internal LoadedKernel Kernel(Kernel kernel) => _kernels[kernel.Index] ?? Load(kernel);

    public void Dispose()
    {
        lock (Gate)
        {
            if (--_users > 0)
            {
                return;
            }

            Enter();
            foreach (var module in _modules.Values)
            {
                module.Dispose();
            }

            _modules.Clear();
            Array.Clear(_kernels);
            Devices.Remove(Ordinal);
            // The next primary context may lie at the same address, so this thread's note of it is withdrawn.
            _ = CudaApi.cuCtxSetCurrent(0);
            _current = 0;
            _ = CudaApi.cuDevicePrimaryCtxRelease(Handle);
            Interlocked.Decrement(ref Ledger.Contexts);
        }
    }

    private LoadedKernel Load(Kernel kernel)
    {
        lock (_modules)
        {
            if (_kernels[kernel.Index] is { } loaded)
            {
                return loaded;
            }

            if (!_modules.TryGetValue(kernel.Module, out var module))
            {
                module = CudaModule.Load(kernel.Module);
                _modules.Add(kernel.Module, module);
            }

            if (!module.Entries.TryGetValue(kernel.Name, out var entry))
            {
                throw new InvalidOperationException($"kernels/{kernel.Module}.cu has no kernel {kernel.Name}.");
            }

            if (entry.MaxThreads > 0 && kernel.Threads > entry.MaxThreads)
            {
                throw new InvalidOperationException($"The kernel table launches {kernel.Name} with {kernel.Threads} threads, its PTX allows {entry.MaxThreads}.");
            }

            nint function = module.Function(kernel.Name);
            if (kernel.MaxDynamicShared > 48 << 10)
            {
                // 8: the dynamic shared memory that launches may ask for; over 48 KiB only on demand.
                CudaDriver.Check(CudaApi.cuFuncSetAttribute(function, 8, kernel.MaxDynamicShared),
                    $"reserving {kernel.MaxDynamicShared >> 10} KiB of shared memory for {kernel.Name} (this GPU has {Limits.SharedPerBlock >> 10} KiB a block)");
            }

            return _kernels[kernel.Index] = new LoadedKernel(kernel, entry, function);
        }
    }

    private int Attribute(int number, int? otherwise = null)
    {
        var status = CudaApi.cuDeviceGetAttribute(out int value, number, Handle);
        if (status != CudaResult.Success && otherwise is { } fallback)
        {
            return fallback;
        }

        CudaDriver.Check(status, $"reading attribute {number} of GPU {Ordinal}");
        return value;
    }
}
