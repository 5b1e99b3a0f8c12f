namespace Farm.Cuda.Launch;

/// <summary>The skinny products of one storage type: tile classes of 16, 32 and 64 rows, 32 or 64 columns.</summary>
/// <param name="M16N32">16 rows by 32 columns.</param>
/// <param name="M16N64">16 rows by 64 columns.</param>
/// <param name="M32N32">32 rows by 32 columns.</param>
/// <param name="M32N64">32 rows by 64 columns.</param>
/// <param name="M64N32">64 rows by 32 columns.</param>
internal sealed record SkinnyProducts(Kernel M16N32, Kernel M16N64, Kernel M32N32, Kernel M32N64, Kernel M64N32)
{
    /// <summary>
    /// The kernel for so many rows, with the rows and the 8-column tiles of its block: 64 columns, which read the activations half as often, where that still
    /// gives every multiprocessor a block.
    /// </summary>
    internal (Kernel Kernel, int Rows, int Tiles) For(int rows, int tiles, int multiprocessors)
    {
        bool wide = tiles / 8 >= multiprocessors;
        return rows switch
        {
            <= 16 => wide ? (M16N64, 16, 8) : (M16N32, 16, 4),
            <= 32 => wide ? (M32N64, 32, 8) : (M32N32, 32, 4),
            _ => (M64N32, 64, 4),
        };
    }
}
