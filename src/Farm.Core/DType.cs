namespace Farm.Core;

/// <summary>Storage type of an element. Arithmetic is always float32 unless an operation says otherwise.</summary>
public enum DType : byte
{
    /// <summary>IEEE binary32.</summary>
    F32 = 0,

    /// <summary>The upper half of a binary32: 8 exponent bits, 7 fraction bits.</summary>
    BF16 = 1,

    /// <summary>IEEE binary16.</summary>
    F16 = 2,

    /// <summary>Signed 8-bit integers with one float32 scale per group of input features.</summary>
    I8 = 3,

    /// <summary>Signed 32-bit integers: token ids, positions, slots.</summary>
    I32 = 4,
}

/// <summary>Sizes and names of <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>Bytes of one element, scales of quantised types not counted.</summary>
    public static int Size(this DType type) => type switch
    {
        DType.F32 or DType.I32 => 4,
        DType.BF16 or DType.F16 => 2,
        DType.I8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a dtype"),
    };

    /// <summary>The name used on the command line and in files: f32, bf16, f16, int8, i32.</summary>
    public static string Name(this DType type) => type switch
    {
        DType.F32 => "f32",
        DType.BF16 => "bf16",
        DType.F16 => "f16",
        DType.I8 => "int8",
        DType.I32 => "i32",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not a dtype"),
    };
}
