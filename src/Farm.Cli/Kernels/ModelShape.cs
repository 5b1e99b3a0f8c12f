using Farm.Core;
using Farm.Models.Configuration;

namespace Farm.Cli.Kernels;

/// <summary>The sizes of a model that its kernels see.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Hidden">Width of the residual stream.</param>
/// <param name="Intermediate">Width of the MLP.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key/value heads.</param>
/// <param name="HeadDim">Width of a head.</param>
/// <param name="Vocabulary">Tokens.</param>
/// <param name="Layers">Decoder layers.</param>
/// <param name="Positions">Longest sequence.</param>
internal sealed record ModelShape(string Name, int Hidden, int Intermediate, int Heads, int KvHeads, int HeadDim, int Vocabulary, int Layers, int Positions = 2048)
{
    /// <summary>The models whose shapes are benchmarked.</summary>
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        new("small", 256, 768, 4, 1, 64, 1000, 4),
        new("tinyllama", 2048, 5632, 32, 4, 64, 32000, 22),
        new("llama-7b", 4096, 11008, 32, 32, 128, 32000, 32),
        new("llama-3.1-8b", 4096, 14336, 32, 8, 128, 128256, 32, 131072),
    ];

    /// <summary>Width of queries, keys and values side by side.</summary>
    public int QkvWidth => (Heads + (2 * KvHeads)) * HeadDim;

    /// <summary>Width of the queries.</summary>
    public int QueryWidth => Heads * HeadDim;

    /// <summary>Elements of a layer's matrices.</summary>
    public long LayerElements => ((long)Hidden * QkvWidth) + ((long)QueryWidth * Hidden) + (3L * Hidden * Intermediate);

    /// <summary>The same as a model's configuration.</summary>
    public ModelConfig Config => new()
    {
        HiddenSize = Hidden,
        IntermediateSize = Intermediate,
        AttentionHeads = Heads,
        KeyValueHeads = KvHeads,
        HeadDim = HeadDim,
        VocabularySize = Vocabulary,
        Layers = Layers,
        MaxPositionEmbeddings = Positions,
    };

    /// <summary>The model of that name.</summary>
    public static ModelShape Parse(string name) => All.FirstOrDefault(m => m.Name == name)
        ?? throw new BadInputException($"--model must be one of {string.Join(", ", All.Select(m => m.Name))}, not '{name}'.");
}
