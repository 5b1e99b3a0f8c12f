using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    /// <summary>More rows take the dense products, which read a weight once for 64 or 128 rows; of float32 weights, and of the others.</summary>
    private const int SkinnyF32Rows = 32, SkinnyRows = 64;

    // Flags of the kernels (linear_common.cuh).
    private const int AccumulateFlag = 1, AlignedRowsFlag = 2;

    /// <inheritdoc/>
    public void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false, Tensor normWeight = default, float normEpsilon = 0f)
    {
        const string Op = nameof(Linear);
        var packed = Packed(weight, Op);
        RequireF32(input, input.Rows, packed.InFeatures, Op, nameof(input));
        RequireF32(output, input.Rows, packed.OutFeatures, Op, nameof(output));
        if (!bias.IsNone)
        {
            RequireF32(bias, 1, packed.OutFeatures, Op, nameof(bias));
        }

        if (!normWeight.IsNone)
        {
            RequireF32(normWeight, 1, packed.InFeatures, Op, nameof(normWeight));
        }

        bool gateUp = packed.Layout == LinearLayout.GateUp;
        Require(!gateUp || (bias.IsNone && !accumulate), Op, "a GateUp weight takes neither bias nor accumulation", nameof(bias));
        if (input.Rows == 0)
        {
            return;
        }

        int flags = (accumulate ? AccumulateFlag : 0) | (HasVectorRows(input) && normWeight.Address % 16 == 0 ? AlignedRowsFlag : 0), gate = gateUp ? 1 : 0;
        if (input.Rows > (packed.DType == DType.F32 ? SkinnyF32Rows : SkinnyRows))
        {
            DenseLinear(input, packed, output, bias, normWeight, normEpsilon, flags);
            return;
        }

        if (packed.DType == DType.F32)
        {
            bool few = input.Rows <= 8;
            Launch(few ? InferenceKernels.LinearF32M8 : InferenceKernels.LinearF32M32, new Grid(packed.Tiles, Grid.Over(input.Rows, few ? 8 : 32)),
                input, input.Stride, packed.Data, normWeight, normEpsilon, bias, output, output.Stride, input.Rows, packed.InFeatures, packed.OutFeatures, packed.Units,
                packed.Tiles, gate, flags);
            return;
        }

        var family = packed.DType == DType.I8 ? InferenceKernels.Int8Products : Bf16Activations ? InferenceKernels.RoundedBF16Products : InferenceKernels.BF16Products;
        var (kernel, rows, tiles) = family.For(input.Rows, packed.Tiles, Multiprocessors);
        var grid = new Grid(Grid.Over(packed.Tiles, tiles), Grid.Over(input.Rows, rows));
        if (packed.DType == DType.I8)
        {
            Launch(kernel, grid, input, input.Stride, packed.Data, packed.Scales, normWeight, normEpsilon, bias, output, output.Stride, input.Rows, packed.InFeatures,
                packed.OutFeatures, packed.Units, packed.Tiles, gate, flags);
        }
        else
        {
            Launch(kernel, grid, input, input.Stride, packed.Data, normWeight, normEpsilon, bias, output, output.Stride, input.Rows, packed.InFeatures,
                packed.OutFeatures, packed.Units, packed.Tiles, gate, flags);
        }
    }

    // Rows in the product's order and, with a norm, their factors; then the product over tiles.
    private void DenseLinear(Tensor input, CudaLinearWeight weight, Tensor output, Tensor bias, Tensor normWeight, float normEpsilon, int flags)
    {
        _scratch.Reset();
        nint factors = 0;
        if (!normWeight.IsNone)
        {
            factors = Scratch((long)input.Rows * sizeof(float));
            Launch(InferenceKernels.DenseFactors, new Grid(Grid.Over(input.Rows, 4)), input, input.Stride, normEpsilon, input.Rows, input.Columns, weight.Units, flags, factors);
        }

        switch (weight.DType)
        {
            case DType.F32:
                DenseF32(input, weight, output, bias, normWeight, factors, flags);
                break;
            case DType.I8:
                DenseInt8(input, weight, output, bias, normWeight, factors, flags);
                break;
            default:
                DenseBF16(input, weight, output, bias, normWeight, factors, flags);
                break;
        }
    }

    private void DenseBF16(Tensor input, CudaLinearWeight weight, Tensor output, Tensor bias, Tensor normWeight, nint factors, int flags)
    {
        int terms = Bf16Activations ? 1 : 3, rowTiles = Grid.Over(input.Rows, 16), blocks = 2 * weight.Units;
        nint packed = Scratch((long)rowTiles * blocks * 2 * terms * 512);
        Launch(Bf16Activations ? InferenceKernels.DensePackBF16Rounded : InferenceKernels.DensePackBF16, new Grid(Grid.Over(blocks, 4), rowTiles), input, input.Stride, normWeight,
            input.Rows, input.Columns, weight.Units, flags, packed);
        Launch(Bf16Activations ? InferenceKernels.DenseBF16Rounded : InferenceKernels.DenseBF16,
            new Grid(Grid.Over(weight.Tiles, 16), Grid.Over(input.Rows, 128), DynamicShared: InferenceKernels.DenseShared(terms)), packed, weight.Data, factors, bias, output,
            output.Stride, input.Rows, weight.OutFeatures, weight.Units, weight.Tiles, IsGateUp(weight), flags);
    }

    private void DenseInt8(Tensor input, CudaLinearWeight weight, Tensor output, Tensor bias, Tensor normWeight, nint factors, int flags)
    {
        int rowTiles = Grid.Over(input.Rows, 16);
        nint packed = Scratch((long)rowTiles * weight.Units * 1024), scales = Scratch((long)rowTiles * weight.Units * 16 * sizeof(float));
        Launch(InferenceKernels.DensePackInt8, new Grid(rowTiles, Grid.Over(weight.Units, 4)), input, input.Stride, normWeight, input.Rows, input.Columns, weight.Units, flags,
            packed, scales);
        Launch(InferenceKernels.DenseInt8, new Grid(Grid.Over(weight.Tiles, 16), Grid.Over(input.Rows, 128), DynamicShared: InferenceKernels.DenseInt8Shared), packed, scales,
            weight.Data, weight.Scales, factors, bias, output, output.Stride, input.Rows, weight.OutFeatures, weight.Units, weight.Tiles, IsGateUp(weight), flags);
    }

    private void DenseF32(Tensor input, CudaLinearWeight weight, Tensor output, Tensor bias, Tensor normWeight, nint factors, int flags)
    {
        int padded = weight.Units * CudaLinearWeight.UnitFeatures, rows = input.Rows <= 64 ? 64 : 128;
        if (!normWeight.IsNone || input.Columns != padded || !HasVectorRows(input))
        {
            nint packed = Scratch((long)input.Rows * padded * sizeof(float));
            Launch(InferenceKernels.DensePackF32, new Grid(input.Rows, Grid.Over(padded, 512)), input, input.Stride, normWeight, input.Columns, weight.Units, packed);
            input = input with { Address = packed, Stride = padded, Columns = padded };
        }

        Launch(rows == 64 ? InferenceKernels.DenseF32M64 : InferenceKernels.DenseF32M128, new Grid(Grid.Over(weight.Tiles, 4), Grid.Over(input.Rows, rows)), input, input.Stride,
            weight.Data, factors, bias, output, output.Stride, input.Rows, weight.OutFeatures, weight.Units, weight.Tiles, IsGateUp(weight), flags);
    }

    private static int IsGateUp(CudaLinearWeight weight) => weight.Layout == LinearLayout.GateUp ? 1 : 0;

    private static bool HasVectorRows(Tensor tensor) => tensor.Address % 16 == 0 && tensor.Stride % 4 == 0;

    private static CudaLinearWeight Packed(LinearWeight weight, string operation) =>
        weight as CudaLinearWeight ?? throw new ArgumentException($"{operation}: the weight was packed by another backend.", nameof(weight));
}
