using System.Numerics;

namespace Farm.PtxSim.Tests;

/// <summary>What the kernel <c>integers</c> computes from two words.</summary>
internal static class IntegerReference
{
    public static uint[] All(uint a, uint b) =>
    [
        (uint)BitOperations.PopCount(a),
        (uint)BitOperations.LeadingZeroCount(a),
        Permute(a, b, 0x9153),
        (a & b) | (a & 305419896) | (b & 305419896),
        (uint)(((((ulong)b << 32) | a) << 7) >> 32),
        (a >> 5) & 0x7FF,
        (uint)((int)(((a >> 5) & 0x7FF) << 21) >> 21),
        (b & ~(63u << 9)) | ((a & 63) << 9),
        (uint)(((ulong)a * b) >> 32),
        b == 0 ? 0 : a / b,
        b == 0 ? 0 : (uint)((int)a % (long)(int)(b | 1)),
        a >> (int)(b & 31),
        (uint)((int)a >> (int)(b & 31)),
        (uint)((a * 0x100000001ul) >> (int)(b & 63)),
        Math.Min(a, b),
        (uint)(byte)a + (uint)(int)(sbyte)b + (ushort)(a >> 3),
    ];

    /// <summary>prmt: each nibble of the selector picks a byte, or copies of its sign.</summary>
    private static uint Permute(uint a, uint b, uint selector)
    {
        ulong both = ((ulong)b << 32) | a;
        uint result = 0;
        for (int k = 0; k < 4; k++)
        {
            uint pick = (selector >> (4 * k)) & 15;
            uint value = (byte)(both >> (int)(8 * (pick & 7)));
            value = (pick & 8) == 0 ? value : (value & 128) != 0 ? 255u : 0;
            result |= value << (8 * k);
        }

        return result;
    }
}
