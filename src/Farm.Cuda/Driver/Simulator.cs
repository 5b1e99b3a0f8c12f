using System.Runtime.InteropServices;
using System.Text.Json;
using Farm.Core;

namespace Farm.Cuda.Driver;

/// <summary>What the driver simulator offers beside the driver's interface: settings, and counts of what each kernel did.</summary>
public static unsafe class Simulator
{
    /// <summary>
    /// Changes the PTX of the modules that are loaded while it is set, given a module's name and text: how mistakes are planted in the shipped kernels, to
    /// see that the checker names them. Modules stay loaded as long as a backend is open.
    /// </summary>
    public static Func<string, string, string>? Rewrite { get; set; }

    /// <summary>Changes a setting, named as its FARM_PTXSIM_ variable without the prefix.</summary>
    /// <exception cref="BadInputException">There is no such setting or value.</exception>
    public static void Configure(string setting, string value)
    {
        var configure = (delegate* unmanaged<byte*, byte*, int>)Entry("ptxsimConfigure");
        nint name = Marshal.StringToCoTaskMemUTF8(setting), text = Marshal.StringToCoTaskMemUTF8(value);
        try
        {
            if (configure((byte*)name, (byte*)text) != 0)
            {
                throw new BadInputException($"The driver simulator has no setting {setting}={value}.");
            }
        }
        finally
        {
            Marshal.FreeCoTaskMem(name);
            Marshal.FreeCoTaskMem(text);
        }
    }

    /// <summary>Forgets an injected fault, which on a GPU would last until the process ends.</summary>
    public static void ClearError() => ((delegate* unmanaged<void>)Entry("ptxsimClearError"))();

    /// <summary>What the simulator's checker found last; empty for nothing.</summary>
    public static string LastReport() => Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)Entry("ptxsimLastReport"))()) ?? string.Empty;

    /// <summary>Forgets all counts.</summary>
    public static void ResetCounters() => ((delegate* unmanaged<void>)Entry("ptxsimResetCounters"))();

    /// <summary>Counts since the last reset, by kernel; the work of a stream counts when it has been waited for.</summary>
    public static IReadOnlyDictionary<string, SimulatorCounters> Counters()
    {
        var read = (delegate* unmanaged<byte*>)Entry("ptxsimCountersJson");
        using var json = JsonDocument.Parse(Marshal.PtrToStringUTF8((nint)read()) ?? "{}");
        return json.RootElement.GetProperty("kernels").EnumerateObject().ToDictionary(k => k.Name, k => SimulatorCounters.Read(k.Value), StringComparer.Ordinal);
    }

    private static nint Entry(string name) => CudaDriver.IsSimulator && CudaDriver.Entry(name) is var address and not 0
        ? address
        : throw new InvalidOperationException($"{CudaDriver.LibraryName ?? "No driver is loaded; it"} is not the driver simulator or has no {name}.");
}
