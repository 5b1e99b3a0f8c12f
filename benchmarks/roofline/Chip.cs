namespace Farm.Roofline;

/// <summary>A chip's data sheet.</summary>
/// <param name="Name">Name in tables.</param>
/// <param name="Driver">What the driver's name for it contains.</param>
/// <param name="MemoryBytes">Memory.</param>
/// <param name="BytesPerSecond">Peak of the memory.</param>
/// <param name="Bf16Flops">Dense bf16 tensor-core peak with float32 sums, a multiply-add counted as two.</param>
/// <param name="FloatFlops">Peak of float32 outside the tensor cores.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="Source">Where the figures stand.</param>
internal sealed record Chip(string Name, string Driver, double MemoryBytes, double BytesPerSecond, double Bf16Flops, double FloatFlops, int Multiprocessors, string Source);

/// <summary>A figure that somebody else measured and published.</summary>
/// <param name="Engine">What ran.</param>
/// <param name="Model">The model, as <see cref="PassCount.Model"/> names its shape.</param>
/// <param name="Chip">The chip, as <see cref="Roofline.Chip.Name"/> names it.</param>
/// <param name="TokensPerSecond">Output tokens a second.</param>
/// <param name="Conditions">What ran how.</param>
/// <param name="Differs">What is different from Farm's projection beside it.</param>
/// <param name="Source">Where it stands.</param>
internal sealed record PublishedFigure(string Engine, string Model, string Chip, double TokensPerSecond, string Conditions, string Differs, Uri Source);
