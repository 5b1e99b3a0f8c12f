using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Cuda.Driver;

/// <summary>
/// The entry points of cuBLASLt that Farm uses (NVIDIA, "cuBLAS", part "Using the cuBLASLt API"), found in a library that is loaded only when it is asked
/// for. Handles are nint, device addresses nint, size_t nuint; enumerations are int.
/// </summary>
internal sealed unsafe class CublasLtApi
{
    /// <summary>Name of the environment variable that names the library.</summary>
    internal const string Variable = "FARM_CUBLASLT";

    /// <summary>The oldest library whose cublasLtMatmulDescCreate takes a compute type: CUDA 11's, as cublasLtGetVersion counts.</summary>
    private const long LeastVersion = 11000;

    internal readonly delegate* unmanaged<nint*, CublasStatus> Create;
    internal readonly delegate* unmanaged<nint, CublasStatus> Destroy, ProductDestroy, LayoutDestroy, PreferenceDestroy;
    internal readonly delegate* unmanaged<nint*, int, int, CublasStatus> ProductCreate;
    internal readonly delegate* unmanaged<nint, int, void*, nuint, CublasStatus> ProductSet, PreferenceSet;
    internal readonly delegate* unmanaged<nint*, int, ulong, ulong, long, CublasStatus> LayoutCreate;
    internal readonly delegate* unmanaged<nint*, CublasStatus> PreferenceCreate;
    internal readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, CublasAlgorithm*, int*, CublasStatus> Choose;
    internal readonly delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, CublasAlgorithm*, nint, nuint, nint, CublasStatus> Multiply;

    private CublasLtApi(nint library, string name)
    {
        Name = name;
        Create = (delegate* unmanaged<nint*, CublasStatus>)Entry("cublasLtCreate");
        Destroy = (delegate* unmanaged<nint, CublasStatus>)Entry("cublasLtDestroy");
        ProductCreate = (delegate* unmanaged<nint*, int, int, CublasStatus>)Entry("cublasLtMatmulDescCreate");
        ProductSet = (delegate* unmanaged<nint, int, void*, nuint, CublasStatus>)Entry("cublasLtMatmulDescSetAttribute");
        ProductDestroy = (delegate* unmanaged<nint, CublasStatus>)Entry("cublasLtMatmulDescDestroy");
        LayoutCreate = (delegate* unmanaged<nint*, int, ulong, ulong, long, CublasStatus>)Entry("cublasLtMatrixLayoutCreate");
        LayoutDestroy = (delegate* unmanaged<nint, CublasStatus>)Entry("cublasLtMatrixLayoutDestroy");
        PreferenceCreate = (delegate* unmanaged<nint*, CublasStatus>)Entry("cublasLtMatmulPreferenceCreate");
        PreferenceSet = (delegate* unmanaged<nint, int, void*, nuint, CublasStatus>)Entry("cublasLtMatmulPreferenceSetAttribute");
        PreferenceDestroy = (delegate* unmanaged<nint, CublasStatus>)Entry("cublasLtMatmulPreferenceDestroy");
        Choose = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, CublasAlgorithm*, int*, CublasStatus>)Entry("cublasLtMatmulAlgoGetHeuristic");
        Multiply = (delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, CublasAlgorithm*, nint, nuint, nint, CublasStatus>)Entry("cublasLtMatmul");
        long version = (long)((delegate* unmanaged<nuint>)Entry("cublasLtGetVersion"))();
        if (version < LeastVersion)
        {
            throw new BadInputException(FormattableString.Invariant($"cuBLASLt {name} is of version {version}; --blas cublaslt needs that of CUDA 11 or later."));
        }

        nint Entry(string entry) => NativeLibrary.TryGetExport(library, entry, out nint address)
            ? address
            : throw new BadInputException($"{name} is not cuBLASLt: it has no {entry}.");
    }

    /// <summary>What the library was loaded as.</summary>
    internal string Name { get; }

    /// <summary>The names under which a system keeps it, the newest first.</summary>
    internal static string[] SystemNames => OperatingSystem.IsWindows()
        ? ["cublasLt64_13.dll", "cublasLt64_12.dll", "cublasLt64_11.dll"]
        : ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"];

    /// <summary>Loads the library; it stays loaded until the process ends, as libraries with state on a device should.</summary>
    /// <param name="named">The one library to take; null for the first of <paramref name="systemNames"/> that is there.</param>
    /// <param name="simulator">Whether the driver is the simulator, whose memory only a stand-in reaches.</param>
    /// <param name="systemNames">Where to look otherwise.</param>
    /// <exception cref="BadInputException">There is no such library; the message says what was looked for.</exception>
    internal static CublasLtApi Load(string? named, bool simulator, string[] systemNames)
    {
        if (named is null && simulator)
        {
            throw new BadInputException($"--blas cublaslt on the driver simulator looked for a stand-in's name in {Variable}, which is not set: NVIDIA's library does not reach the simulator's memory.");
        }

        string[] candidates = named is null ? systemNames : [named];
        foreach (string candidate in candidates)
        {
            if (NativeLibrary.TryLoad(candidate, out nint library))
            {
                return simulator && !NativeLibrary.TryGetExport(library, "cublasLtStandinCounts", out _)
                    ? throw new BadInputException($"{Variable} names {candidate}, which is no stand-in for the driver simulator: it has no cublasLtStandinCounts.")
                    : new CublasLtApi(library, candidate);
            }
        }

        throw new BadInputException(named is not null
            ? $"{Variable} names {named}, which {(File.Exists(named) || !named.Contains('/') ? "cannot be loaded" : "is not there")}."
            : $"--blas cublaslt found no cuBLASLt: looked for {string.Join(", ", candidates)} where the system keeps libraries; install NVIDIA's, name it in {Variable}, or use --blas own.");
    }
}
