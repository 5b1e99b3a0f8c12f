using System.Reflection;
using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Cuda.Driver;

/// <summary>
/// Which driver library this process uses, loaded on first use and kept: the system's, the one that FARM_CUDA_DRIVER names, or the bundled simulator.
/// </summary>
public static unsafe class CudaDriver
{
    /// <summary>Name of the environment variable that names the driver library for <c>--device cuda</c>.</summary>
    public const string Variable = "FARM_CUDA_DRIVER";

    /// <summary>The oldest driver that compiles PTX 7.0: CUDA 11.0, as <c>cuDriverGetVersion</c> counts.</summary>
    public const int LeastVersion = 11000;

    private static readonly Lock Gate = new();
    private static readonly string[] GraphEntries =
    [
        "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuGraphExecDestroy", "cuGraphDestroy",
    ];

    private static nint _library;

    /// <summary>What the library was loaded as: a path or the system's name for it; null before the first use.</summary>
    public static string? LibraryName { get; private set; }

    /// <summary>Whether the library is the bundled simulator, or another build of it: it counts and checks, and its times mean nothing.</summary>
    public static bool IsSimulator { get; private set; }

    /// <summary>The driver's CUDA version as it counts: 12040 is 12.4.</summary>
    public static int Version { get; private set; }

    /// <summary>Whether the driver can capture a stream's work as a graph.</summary>
    public static bool HasGraphs { get; private set; }

    /// <summary>The bundled simulator, beside the program.</summary>
    public static string SimulatorPath => Path.Combine(AppContext.BaseDirectory, "ptxsim", "libcuda.so.1");

    /// <summary>Loads and initialises the driver; does nothing when the same one is already in use.</summary>
    /// <param name="simulator">The bundled simulator instead of the system's driver.</param>
    /// <exception cref="BadInputException">There is no driver, it is too old or does not start; or the process already uses another.</exception>
    public static void Use(bool simulator)
    {
        lock (Gate)
        {
            string? asked = simulator ? SimulatorPath : Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named : null;
            if (_library != 0)
            {
                if ((asked ?? SystemNames()[0]) != LibraryName && !(asked is null && SystemNames().Contains(LibraryName)))
                {
                    throw new BadInputException($"This process already uses the CUDA driver {LibraryName}; it cannot load {asked ?? SystemNames()[0]} as well.");
                }

                return;
            }

            nint library = Load(asked, simulator, out string name);
            try
            {
                Start(library, name);
                _library = library;
            }
            catch
            {
                _library = 0;
                throw;
            }
        }
    }

    /// <summary>Address of an entry of the loaded library; 0 where it has none.</summary>
    internal static nint Entry(string name) => NativeLibrary.TryGetExport(_library, name, out nint address) ? address : 0;

    /// <summary>Number of GPUs that the driver shows.</summary>
    internal static int DeviceCount()
    {
        var status = CudaApi.cuDeviceGetCount(out int count);
        return status == CudaResult.NoDevice ? 0 : Checked(status, "counting the GPUs", count);
    }

    /// <summary>Throws unless <paramref name="status"/> is success.</summary>
    /// <param name="status">What the driver returned.</param>
    /// <param name="doing">What was attempted, as "...ing ...".</param>
    internal static void Check(CudaResult status, string doing)
    {
        if (status != CudaResult.Success)
        {
            throw CudaErrors.Exception(status, doing);
        }
    }

    private static T Checked<T>(CudaResult status, string doing, T value)
    {
        Check(status, doing);
        return value;
    }

    private static nint Load(string? asked, bool simulator, out string name)
    {
        string[] candidates = asked is null ? SystemNames() : [asked];
        var problems = new List<string>();
        foreach (string candidate in candidates)
        {
            try
            {
                name = candidate;
                return NativeLibrary.Load(candidate);
            }
            catch (DllNotFoundException e)
            {
                problems.Add(e.Message.ReplaceLineEndings(" ").Trim());
            }
            catch (BadImageFormatException e)
            {
                problems.Add(e.Message.ReplaceLineEndings(" ").Trim());
            }
        }

        throw new BadInputException(simulator
            ? $"The driver simulator is not beside the program at {asked}; ./build.sh native builds it on x86-64 and ARM64 Linux."
            : asked is not null
                ? File.Exists(asked) || !asked.Contains('/')
                    ? $"{Variable} names {asked}, which cannot be loaded: {problems[0]}"
                    : $"{Variable} names {asked}, which is not there."
                : $"No CUDA driver was found: looked for {string.Join(" and ", candidates)} where the system keeps libraries. Install NVIDIA's driver, name its library in {Variable}, or use --device cpu.");
    }

    private static void Start(nint library, string name)
    {
        foreach (string entry in new[] { "cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDevicePrimaryCtxRetain", "cuLaunchKernel" })
        {
            if (!NativeLibrary.TryGetExport(library, entry, out _))
            {
                throw new BadInputException($"{name} is not a CUDA driver: it has no {entry}.");
            }
        }

        // P/Invokes of this assembly resolve once and for all, so one process has one driver.
        _library = library;
        LibraryName = name;
        SetResolver();
        var status = CudaApi.cuDriverGetVersion(out int version);
        if (status != CudaResult.Success)
        {
            throw new BadInputException($"The CUDA driver {name} does not tell its version: {CudaErrors.Describe(status)}.");
        }

        Version = version;
        if (version < LeastVersion)
        {
            throw new BadInputException($"The CUDA driver {name} is version {Format(version)}; Farm's kernels need {Format(LeastVersion)} (NVIDIA driver 450) or later.");
        }

        status = CudaApi.cuInit(0);
        if (status != CudaResult.Success)
        {
            throw new BadInputException(status switch
            {
                CudaResult.NoDevice => $"The CUDA driver {name} finds no GPU on this machine; use --device cpu, or --device cuda-sim to try the kernels without one.",
                CudaResult.StubLibrary => $"{name} is the toolkit's stub for linking, not a driver; install NVIDIA's driver or name its library in {Variable}.",
                CudaResult.SystemDriverMismatch => $"The CUDA driver {name} and the kernel's NVIDIA module are of different versions; restart the machine after a driver update.",
                _ => $"The CUDA driver {name} does not start: {CudaErrors.Describe(status)}.",
            });
        }

        IsSimulator = NativeLibrary.TryGetExport(library, "ptxsimConfigure", out _);
        HasGraphs = GraphEntries.All(e => NativeLibrary.TryGetExport(library, e, out _)) && Environment.GetEnvironmentVariable("FARM_CUDA_GRAPHS") != "0";
    }

    /// <summary>A version as people write it: 12040 is 12.4.</summary>
    public static string Format(int version) => FormattableString.Invariant($"{version / 1000}.{version % 1000 / 10}");

    private static bool _resolverSet;

    private static void SetResolver()
    {
        if (!_resolverSet)
        {
            NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name == CudaApi.Library ? _library : 0);
            _resolverSet = true;
        }
    }

    private static string[] SystemNames() => OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1", "libcuda.so"];
}
