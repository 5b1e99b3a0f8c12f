using System.Runtime.InteropServices;

namespace Farm.PtxSim.Tests;

/// <summary>The simulator's entry points. Named as in the driver API, without the _v2 endings.</summary>
internal sealed class Driver
{
    private static readonly Lazy<Driver> s_instance = new(() => new Driver(NativeLibrary.Load(Repository.Simulator)));

    public delegate int IntOnly(int value);
    public delegate int OutInt(out int value);
    public delegate int Attribute(out int value, int which, int device);
    public delegate int OutHandle(out nint handle);
    public delegate int OutHandleInt(out nint handle, int value);
    public delegate int Handle(nint handle);
    public delegate int Nothing();
    public delegate int Allocate(out ulong address, nuint bytes);
    public delegate int Free(ulong address);
    public delegate int CopyIn(ulong to, nint from, nuint bytes);
    public delegate int CopyOut(nint to, ulong from, nuint bytes);
    public delegate int CopyInAsync(ulong to, nint from, nuint bytes, nint stream);
    public delegate int CopyOutAsync(nint to, ulong from, nuint bytes, nint stream);
    public delegate int Fill(ulong to, byte value, nuint count, nint stream);
    public delegate int AllocateHost(out nint pointer, nuint bytes);
    public delegate int LoadModule(out nint module, byte[] image, uint options, int[]? names, nint[]? values);
    public delegate int GetFunction(out nint function, nint module, [MarshalAs(UnmanagedType.LPUTF8Str)] string name);
    public delegate int SetAttribute(nint function, int which, int value);
    public delegate int GetAttribute(out int value, int which, nint function);
    public delegate int LaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint shared, nint stream, nint[] arguments, nint extra);
    public delegate int TwoHandles(nint first, nint second);
    public delegate int WaitEvent(nint stream, nint handle, uint flags);
    public delegate int Elapsed(out float milliseconds, nint start, nint end);
    public delegate int BeginCapture(nint stream, int mode);
    public delegate int EndCapture(nint stream, out nint graph);
    public delegate int Instantiate(out nint executable, nint graph, ulong flags);
    public delegate int ErrorText(int code, out nint text);
    public delegate int ConfigureCall([MarshalAs(UnmanagedType.LPUTF8Str)] string key, [MarshalAs(UnmanagedType.LPUTF8Str)] string value);
    public delegate nint Text();
    public delegate void VoidCall();
    public delegate ulong Number();

    private readonly nint _library;

    private Driver(nint library) => _library = library;

    public static Driver Instance => s_instance.Value;

    public T Get<T>(string name)
        where T : Delegate => Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(_library, name));
}
