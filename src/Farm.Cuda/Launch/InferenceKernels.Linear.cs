namespace Farm.Cuda.Launch;

internal static partial class InferenceKernels
{
    private const string PerColumns = "32 or 64 columns, x; 16, 32 or 64 rows, y";

    internal static readonly Kernel LinearF32M8 = new("linear_f32", "linear_f32_m8", 256, "32 columns, x; 8 rows, y", StaticShared: 9472, Registers: 110);
    internal static readonly Kernel LinearF32M32 = new("linear_f32", "linear_f32_m32", 256, "32 columns, x; 32 rows, y", StaticShared: 37888, Registers: 128);

    internal static readonly Kernel LinearBF16M16N32 = Skinny("linear_bf16_m16_n32", 4, 128);
    internal static readonly Kernel LinearBF16M16N64 = Skinny("linear_bf16_m16_n64", 8, 168);
    internal static readonly Kernel LinearBF16M32N32 = Skinny("linear_bf16_m32_n32", 4, 160);
    internal static readonly Kernel LinearBF16M32N64 = Skinny("linear_bf16_m32_n64", 8, 216);
    internal static readonly Kernel LinearBF16M64N32 = Skinny("linear_bf16_m64_n32", 4, 200);
    internal static readonly Kernel LinearBF16RoundedM16N32 = Skinny("linear_bf16_rounded_m16_n32", 4, 112);
    internal static readonly Kernel LinearBF16RoundedM16N64 = Skinny("linear_bf16_rounded_m16_n64", 8, 152);
    internal static readonly Kernel LinearBF16RoundedM32N32 = Skinny("linear_bf16_rounded_m32_n32", 4, 144);
    internal static readonly Kernel LinearBF16RoundedM32N64 = Skinny("linear_bf16_rounded_m32_n64", 8, 200);
    internal static readonly Kernel LinearBF16RoundedM64N32 = Skinny("linear_bf16_rounded_m64_n32", 4, 184);
    internal static readonly Kernel LinearInt8M16N32 = Skinny("linear_int8_m16_n32", 4, 128);
    internal static readonly Kernel LinearInt8M16N64 = Skinny("linear_int8_m16_n64", 8, 168);
    internal static readonly Kernel LinearInt8M32N32 = Skinny("linear_int8_m32_n32", 4, 152);
    internal static readonly Kernel LinearInt8M32N64 = Skinny("linear_int8_m32_n64", 8, 208);
    internal static readonly Kernel LinearInt8M64N32 = Skinny("linear_int8_m64_n32", 4, 200);

    internal static readonly Kernel DenseBF16 = new("linear_dense", "dense_bf16", 256, "128 columns, x; 128 rows, y", MaxDynamicShared: DenseShared(3), Registers: 200);
    internal static readonly Kernel DenseBF16Rounded = new("linear_dense", "dense_bf16_rounded", 256, "128 columns, x; 128 rows, y", MaxDynamicShared: DenseShared(1), Registers: 200);
    internal static readonly Kernel DenseInt8 = new("linear_dense_int8", "dense_int8", 256, "128 columns, x; 128 rows, y", MaxDynamicShared: DenseInt8Shared, Registers: 200);
    internal static readonly Kernel DenseF32M64 = new("linear_dense_f32", "dense_f32_m64", 128, "128 columns, x; 64 rows, y", StaticShared: 3 * (64 + 128) * 64, Registers: 232);
    internal static readonly Kernel DenseF32M128 = new("linear_dense_f32", "dense_f32_m128", 256, "128 columns, x; 128 rows, y", StaticShared: 3 * (128 + 128) * 64, Registers: 232);

    /// <summary>Dynamic shared memory of the dense int8 product: four stages of 8 row tiles, 16 column tiles and the scales of both.</summary>
    internal const int DenseInt8Shared = 4 * ((8 * 1024) + (16 * 512) + 512 + 512);

    /// <summary>bf16 weights with activations exact to float32.</summary>
    internal static readonly SkinnyProducts BF16Products = new(LinearBF16M16N32, LinearBF16M16N64, LinearBF16M32N32, LinearBF16M32N64, LinearBF16M64N32);

    /// <summary>bf16 weights with activations rounded to bf16.</summary>
    internal static readonly SkinnyProducts RoundedBF16Products =
        new(LinearBF16RoundedM16N32, LinearBF16RoundedM16N64, LinearBF16RoundedM32N32, LinearBF16RoundedM32N64, LinearBF16RoundedM64N32);

    /// <summary>int8 weights.</summary>
    internal static readonly SkinnyProducts Int8Products = new(LinearInt8M16N32, LinearInt8M16N64, LinearInt8M32N32, LinearInt8M32N64, LinearInt8M64N32);

    /// <summary>Dynamic shared memory of the dense products: three stages of 8 row tiles and 16 column tiles.</summary>
    internal static int DenseShared(int terms) => 3 * ((8 * 2 * terms * 512) + (16 * 512));

    // Shared memory of the merge: [8 warps][16][columns + 8] floats and the sums of squares.
    private static Kernel Skinny(string name, int tiles, int registers) =>
        new("linear_skinny", name, 256, PerColumns, StaticShared: (8 * 16 * ((8 * tiles) + 8) * 4) + 512, Registers: registers);
}
