namespace Farm.PtxSim.Tests;

/// <summary>bf16 as the kernels store it.</summary>
internal static class BFloat16
{
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    public static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static ushort[] Random(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Round((float)(random.NextDouble() * 2 - 1)))];
}
