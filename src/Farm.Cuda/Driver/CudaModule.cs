using System.Reflection;
using System.Text;
using Farm.Core;
using Farm.Cuda.Ptx;

namespace Farm.Cuda.Driver;

/// <summary>One embedded PTX file, compiled by the driver for the device at hand.</summary>
internal sealed unsafe class CudaModule : IDisposable
{
    private const int LogBytes = 16 << 10;
    private nint _handle;

    private CudaModule(string name, nint handle, IReadOnlyDictionary<string, PtxEntry> entries, string log)
    {
        Name = name;
        _handle = handle;
        Entries = entries;
        Log = log;
        Interlocked.Increment(ref Ledger.Modules);
    }

    /// <summary>The .cu file's name without its ending.</summary>
    internal string Name { get; }

    /// <summary>The kernels in it.</summary>
    internal IReadOnlyDictionary<string, PtxEntry> Entries { get; }

    /// <summary>What the driver's compiler said: registers and spills where it tells them.</summary>
    internal string Log { get; }

    /// <summary>The PTX text of a module as it is embedded.</summary>
    internal static string Text(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name + ".ptx")
            ?? throw new InvalidOperationException($"This build has no kernels/{name}.cu.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>The names of all embedded modules.</summary>
    internal static IEnumerable<string> Names() =>
        Assembly.GetExecutingAssembly().GetManifestResourceNames().Where(n => n.EndsWith(".ptx", StringComparison.Ordinal)).Select(n => n[..^4]).Order(StringComparer.Ordinal);

    /// <summary>Hands an embedded module to the driver.</summary>
    /// <exception cref="CudaException">The driver refuses it; the message has its log.</exception>
    internal static CudaModule Load(string name) => Load(name, CudaDriver.IsSimulator && Simulator.Rewrite is { } rewrite ? rewrite(name, Text(name)) : Text(name));

    internal static CudaModule Load(string name, string text)
    {
        // The image is a C string.
        byte[] image = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, image);
        byte[] info = new byte[LogBytes], error = new byte[LogBytes];
        nint handle;
        CudaResult status;
        fixed (byte* i = info, e = error, p = image)
        {
            // JIT options: 3/4 info log and size, 5/6 error log and size, 12 verbose.
            int* names = stackalloc int[] { 3, 4, 5, 6, 12 };
            nint* values = stackalloc nint[] { (nint)i, LogBytes, (nint)e, LogBytes, 1 };
            status = CudaApi.cuModuleLoadDataEx(out handle, p, 5, names, values);
        }

        if (status is CudaResult.UnsupportedPtxVersion or CudaResult.NoBinaryForGpu)
        {
            throw new BadInputException($"The CUDA driver {CudaDriver.LibraryName} (version {CudaDriver.Format(CudaDriver.Version)}) cannot compile kernels/{name}.cu: {CudaErrors.Describe(status)}; update NVIDIA's driver.");
        }

        if (status != CudaResult.Success)
        {
            throw new CudaException($"The driver refused kernels/{name}.cu: {CudaErrors.Describe(status)}. {Words(error)}".TrimEnd(), (int)status);
        }

        return new CudaModule(name, handle, PtxEntry.Parse(text), Words(info));
    }

    /// <summary>A kernel's handle.</summary>
    internal nint Function(string name)
    {
        CudaDriver.Check(CudaApi.cuModuleGetFunction(out nint function, _handle, name), $"looking up the kernel {name} in {Name}.ptx");
        return function;
    }

    public void Dispose()
    {
        if (_handle != 0)
        {
            _ = CudaApi.cuModuleUnload(_handle);
            _handle = 0;
            Interlocked.Decrement(ref Ledger.Modules);
        }
    }

    private static string Words(byte[] log)
    {
        int length = Array.IndexOf(log, (byte)0);
        return Encoding.UTF8.GetString(log, 0, length < 0 ? log.Length : length).Trim();
    }
}
