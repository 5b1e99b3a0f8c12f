using System.Runtime.InteropServices;
using Farm.Core;

namespace Farm.Reference;

/// <summary>Zeroed host memory aligned to 64 bytes.</summary>
internal sealed class HostMemory : DeviceMemory
{
    private const int Alignment = 64;
    private readonly nint _block;
    private readonly Action _freed;

    private HostMemory(nint block, nint address, long bytes, Action freed)
        : base(address, bytes) => (_block, _freed) = (block, freed);

    public static HostMemory Create(long bytes, Action freed)
    {
        long room = Math.Max(bytes, 1) + Alignment - 1;
        nint block = Marshal.AllocHGlobal(checked((nint)room));
        nint address = (block + Alignment - 1) / Alignment * Alignment;
        var zeros = new byte[Math.Min(bytes, 1 << 16)];
        for (long at = 0; at < bytes; at += zeros.Length)
        {
            Marshal.Copy(zeros, 0, address + (nint)at, (int)Math.Min(zeros.Length, bytes - at));
        }

        return new HostMemory(block, address, bytes, freed);
    }

    protected override void Free()
    {
        Marshal.FreeHGlobal(_block);
        _freed();
    }
}
