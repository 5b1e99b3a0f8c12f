namespace Farm.Training;

/// <summary>
/// The last word of Philox counters, which keeps the draws of training apart from each other and from those of sampling (stream 0). The low 24 bits are
/// free for a number.
/// </summary>
internal static class RandomStreams
{
    /// <summary>Order of the examples of an epoch.</summary>
    public const uint Shuffle = 1u << 24;

    /// <summary>Weights of heads and adapters before training.</summary>
    public const uint Initialisation = 2u << 24;

    /// <summary>Dropout of adapters.</summary>
    public const uint Dropout = 3u << 24;
}
