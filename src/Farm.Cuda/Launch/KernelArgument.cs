using Farm.Core;

namespace Farm.Cuda.Launch;

/// <summary>One argument of a launch: its bits and its size, converted from what C# passes. 64 bits for pointers and tensors, 32 for int and float.</summary>
internal readonly struct KernelArgument
{
    internal readonly ulong Bits;
    internal readonly byte Size;

    private KernelArgument(ulong bits, byte size)
    {
        Bits = bits;
        Size = size;
    }

    /// <summary>The tensor's address; 0 for none.</summary>
    public static implicit operator KernelArgument(Tensor value) => new((ulong)value.Address, 8);

    public static implicit operator KernelArgument(nint value) => new((ulong)value, 8);

    public static implicit operator KernelArgument(long value) => new((ulong)value, 8);

    public static implicit operator KernelArgument(ulong value) => new(value, 8);

    public static implicit operator KernelArgument(int value) => new((uint)value, 4);

    public static implicit operator KernelArgument(uint value) => new(value, 4);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), 4);

    public static implicit operator KernelArgument(double value) => new(BitConverter.DoubleToUInt64Bits(value), 8);
}
