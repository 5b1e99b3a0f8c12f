namespace Farm.Cuda;

/// <summary>What the products and the attention of training multiply. Sums are float32 in both.</summary>
public enum CudaCompute
{
    /// <summary>The float32 operands themselves: on the float32 units, or as three bfloat16 terms each on tensor cores; for parity with the CPU.</summary>
    F32,

    /// <summary>Operands rounded to bfloat16 on tensor cores, as mixed-precision training does; weights, gradients and moments stay float32.</summary>
    BF16,
}
