namespace Farm.Cuda;

/// <summary>Peaks of a chip by its maker's data sheet: memory, and dense tensor-core products without sparsity.</summary>
/// <param name="Chip">What the driver's name for it contains.</param>
/// <param name="MemoryBytesPerSecond">Bytes read per second.</param>
/// <param name="Bf16FlopsPerSecond">bf16 products with float32 sums, a multiply-add counted as two.</param>
/// <param name="FloatFlopsPerSecond">float32 outside the tensor cores.</param>
public sealed record GpuPeaks(string Chip, double MemoryBytesPerSecond, double Bf16FlopsPerSecond, double FloatFlopsPerSecond)
{
    // More specific names first. NVIDIA data sheets: A100 (2021), H100 (2023), H200 (2024), L40S, L4, A10, A40, GeForce Ada and Ampere white papers.
    private static readonly GpuPeaks[] Known =
    [
        new("H200", 4.8e12, 989.4e12, 66.9e12),
        new("H100 PCIe", 2.0e12, 756e12, 51.2e12),
        new("H100 NVL", 3.9e12, 835e12, 60e12),
        new("H100", 3.35e12, 989.4e12, 66.9e12),
        new("A100-SXM4-40GB", 1.555e12, 312e12, 19.5e12),
        new("A100-PCIE-40GB", 1.555e12, 312e12, 19.5e12),
        new("A100 80GB PCIe", 1.935e12, 312e12, 19.5e12),
        new("A100", 2.039e12, 312e12, 19.5e12),
        new("L40S", 864e9, 362e12, 91.6e12),
        new("L40", 864e9, 181e12, 90.5e12),
        new("L4", 300e9, 121e12, 30.3e12),
        new("A40", 696e9, 149.7e12, 37.4e12),
        new("A10", 600e9, 125e12, 31.2e12),
        new("RTX 4090", 1008e9, 165.2e12, 82.6e12),
        new("RTX 4080", 717e9, 97.5e12, 48.7e12),
        new("RTX 3090", 936e9, 71e12, 35.6e12),
    ];

    /// <summary>The chips that projections are made for.</summary>
    public static IReadOnlyList<GpuPeaks> Projected { get; } = [Find("A100"), Find("H100"), Find("H200")];

    /// <summary>The peaks of the chip that the driver calls so; null where it is not listed.</summary>
    public static GpuPeaks? Of(string name) => Array.Find(Known, k => name.Contains(k.Chip, StringComparison.OrdinalIgnoreCase));

    private static GpuPeaks Find(string chip) => Known.First(k => k.Chip == chip);
}
