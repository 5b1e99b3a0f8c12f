namespace Farm.Reference;

/// <summary>Conversion between binary32 and bfloat16, its upper half.</summary>
public static class BFloat16
{
    /// <summary>The bits of <paramref name="value"/> rounded to nearest even; NaN stays a quiet NaN.</summary>
    public static ushort Bits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The value of those bits.</summary>
    public static float Value(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary><paramref name="value"/> rounded to the nearest bfloat16, ties to even.</summary>
    public static float Round(float value) => Value(Bits(value));
}
