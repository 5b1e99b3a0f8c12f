namespace Farm.Cuda.Launch;

/// <summary>Blocks of a launch, and its dynamic shared memory. A grid without blocks launches nothing.</summary>
/// <param name="X">Blocks along x.</param>
/// <param name="Y">Blocks along y, at most 65535.</param>
/// <param name="Z">Blocks along z, at most 65535.</param>
/// <param name="DynamicShared">Bytes of dynamic shared memory.</param>
internal readonly record struct Grid(int X, int Y = 1, int Z = 1, int DynamicShared = 0)
{
    /// <summary>Blocks that cover <paramref name="count"/> things, <paramref name="perBlock"/> each.</summary>
    internal static int Over(long count, int perBlock) => checked((int)((count + perBlock - 1) / perBlock));

    /// <inheritdoc/>
    public override string ToString() => $"({X}, {Y}, {Z})" + (DynamicShared > 0 ? $" with {DynamicShared} bytes of dynamic shared memory" : string.Empty);
}
