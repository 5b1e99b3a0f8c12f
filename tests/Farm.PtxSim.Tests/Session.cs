using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Farm.PtxSim.Tests;

/// <summary>A fresh simulated device with a current context.</summary>
internal sealed class Session
{
    public const int Success = 0;
    public const int InvalidValue = 1;
    public const int OutOfMemory = 2;
    public const int InvalidPtx = 218;
    public const int IllegalAddress = 700;
    public const int LaunchFailed = 719;

    private static readonly Driver s_driver = Driver.Instance;

    public Session(params (string Key, string Value)[] settings)
    {
        s_driver.Get<Driver.VoidCall>("ptxsimReset")();
        Configure("QUIET", "1");
        foreach ((string key, string value) in settings)
        {
            Configure(key, value);
        }

        Check(Init());
        Check(s_driver.Get<Driver.OutHandleInt>("cuDevicePrimaryCtxRetain")(out nint context, 0));
        Check(s_driver.Get<Driver.Handle>("cuCtxSetCurrent")(context));
    }

    /// <summary>Text of the last fault or refusal.</summary>
    public static string Report => Marshal.PtrToStringUTF8(s_driver.Get<Driver.Text>("ptxsimLastReport")())!;

    public static int Init() => s_driver.Get<Driver.IntOnly>("cuInit")(0);

    public static int TryConfigure(string key, string value) => s_driver.Get<Driver.ConfigureCall>("ptxsimConfigure")(key, value);

    public static void Configure(string key, string value) => Assert.Equal(0, TryConfigure(key, value));

    public static void Check(int result) => Assert.True(result == Success, $"CUDA error {result}: {Report}");

    public static byte[] Image(string ptx) => Encoding.UTF8.GetBytes(ptx + "\0");

    public static int TryLoad(string ptx, out nint module) =>
        s_driver.Get<Driver.LoadModule>("cuModuleLoadDataEx")(out module, Image(ptx), 0, null, null);

    public static nint Load(string ptx)
    {
        Check(TryLoad(ptx, out nint module));
        return module;
    }

    public static nint Function(nint module, string name)
    {
        Check(s_driver.Get<Driver.GetFunction>("cuModuleGetFunction")(out nint function, module, name));
        return function;
    }

    public static int TryAllocate(int bytes, out ulong address) => s_driver.Get<Driver.Allocate>("cuMemAlloc_v2")(out address, (nuint)bytes);

    public static ulong Allocate(int bytes)
    {
        Check(TryAllocate(bytes, out ulong address));
        return address;
    }

    public static ulong Upload<T>(T[] values)
        where T : unmanaged
    {
        ulong address = Allocate(values.Length * Unsafe.SizeOf<T>());
        var pin = GCHandle.Alloc(values, GCHandleType.Pinned);
        Check(s_driver.Get<Driver.CopyIn>("cuMemcpyHtoD_v2")(address, pin.AddrOfPinnedObject(), (nuint)(values.Length * Unsafe.SizeOf<T>())));
        pin.Free();
        return address;
    }

    public static int TryDownload<T>(ulong address, T[] values)
        where T : unmanaged
    {
        var pin = GCHandle.Alloc(values, GCHandleType.Pinned);
        int result = s_driver.Get<Driver.CopyOut>("cuMemcpyDtoH_v2")(pin.AddrOfPinnedObject(), address, (nuint)(values.Length * Unsafe.SizeOf<T>()));
        pin.Free();
        return result;
    }

    public static T[] Download<T>(ulong address, int count)
        where T : unmanaged
    {
        var values = new T[count];
        Check(TryDownload(address, values));
        return values;
    }

    /// <summary>Queues a launch; arguments are int, uint, float, ulong or another struct of the parameter's size.</summary>
    public static int Launch(nint function, (uint X, uint Y, uint Z) grid, (uint X, uint Y, uint Z) block, uint shared, nint stream, params object[] arguments)
    {
        nint[] pointers = new nint[arguments.Length];
        for (int k = 0; k < arguments.Length; k++)
        {
            pointers[k] = Marshal.AllocHGlobal(Marshal.SizeOf(arguments[k]));
            Marshal.StructureToPtr(arguments[k], pointers[k], false);
        }

        int result = s_driver.Get<Driver.LaunchKernel>("cuLaunchKernel")(
            function, grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, shared, stream, pointers, 0);
        Array.ForEach(pointers, Marshal.FreeHGlobal);
        return result;
    }

    /// <summary>Launches one-dimensionally on the null stream and waits.</summary>
    public static int Run(nint function, uint grid, uint block, params object[] arguments)
    {
        int result = Launch(function, (grid, 1, 1), (block, 1, 1), 0, 0, arguments);
        return result == Success ? Synchronize() : result;
    }

    public static int Synchronize() => s_driver.Get<Driver.Nothing>("cuCtxSynchronize")();

    public static JsonElement Counters(string kernel)
    {
        string json = Marshal.PtrToStringUTF8(s_driver.Get<Driver.Text>("ptxsimCountersJson")())!;
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("kernels").GetProperty(kernel).Clone();
    }

    public static long Counter(string kernel, string name) => Counters(kernel).GetProperty(name).GetInt64();

    public static void ResetCounters() => s_driver.Get<Driver.VoidCall>("ptxsimResetCounters")();

    public static ulong LiveBuffers => s_driver.Get<Driver.Number>("ptxsimLiveBuffers")();
}
