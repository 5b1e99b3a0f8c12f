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

    // One launch: its first blocks prepare the rows, 16 of them and a part of their features at a time, in scratch memory (linear_dense.cuh).
    private void DenseLinear(Tensor input, CudaLinearWeight weight, Tensor output, Tensor bias, Tensor normWeight, float normEpsilon, int flags)
    {
        _scratch.Reset();
        var (kernel, rows, columns, dynamicShared) = weight.DType switch
        {
            DType.F32 when input.Rows <= 64 => (InferenceKernels.DenseF32M64, 64, 4, 0),
            DType.F32 => (InferenceKernels.DenseF32M128, 128, 4, 0),
            DType.I8 => (InferenceKernels.DenseInt8, 128, 16, InferenceKernels.DenseInt8Shared),
            _ when Bf16Activations => (InferenceKernels.DenseBF16Rounded, 128, 16, InferenceKernels.DenseShared(1)),
            _ => (InferenceKernels.DenseBF16, 128, 16, InferenceKernels.DenseShared(3)),
        };
        var grid = new Grid(Grid.Over(weight.Tiles, columns), Grid.Over(input.Rows, rows), DynamicShared: dynamicShared);
        bool norm = !normWeight.IsNone, prepares = weight.DType != DType.F32 || norm || input.Columns != weight.Units * CudaLinearWeight.UnitFeatures || !HasVectorRows(input);
        int rowTiles = Grid.Over(input.Rows, DenseRows.Tile), parts = DenseRows.Parts(weight.Units, norm), lots = prepares ? DenseRows.Lots(rowTiles, parts, kernel) : 0;
        long tileUnits = (long)rowTiles * weight.Units;
        nint prepared = prepares ? Scratch(DenseRows.Bytes(weight.DType, Bf16Activations) * tileUnits) : 0, squares = norm ? Scratch(DenseRows.SquareBytes * rowTiles) : 0;
        int gate = weight.Layout == LinearLayout.GateUp ? 1 : 0;
        if (weight.DType == DType.I8)
        {
            Launch(kernel, grid, input, input.Stride, weight.Data, weight.Scales, normWeight, normEpsilon, bias, output, output.Stride, input.Rows, input.Columns, weight.OutFeatures,
                weight.Units, weight.Tiles, gate, flags, prepared, Scratch(DenseRows.ScaleBytes * tileUnits), squares, parts, _rowCounters.Address, lots);
        }
        else
        {
            Launch(kernel, grid, input, input.Stride, weight.Data, normWeight, normEpsilon, bias, output, output.Stride, input.Rows, input.Columns, weight.OutFeatures,
                weight.Units, weight.Tiles, gate, flags, prepared, squares, parts, _rowCounters.Address, lots);
        }
    }

    private static bool HasVectorRows(Tensor tensor) => tensor.Address % 16 == 0 && tensor.Stride % 4 == 0;

    private static CudaLinearWeight Packed(LinearWeight weight, string operation) =>
        weight as CudaLinearWeight ?? throw new ArgumentException($"{operation}: the weight was packed by another backend.", nameof(weight));
}
