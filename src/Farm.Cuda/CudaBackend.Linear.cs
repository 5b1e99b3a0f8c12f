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
        int rowTiles = Grid.Over(input.Rows, DenseRows.Tile), rows = weight.DType == DType.F32 && input.Rows <= 64 ? 64 : 128, gate = weight.Layout == LinearLayout.GateUp ? 1 : 0;
        int columnTiles = weight.DType == DType.F32 ? 4 : 16;
        var grid = new Grid(Grid.Over(weight.Tiles, columnTiles), Grid.Over(input.Rows, rows));
        bool prepares = weight.DType != DType.F32 || !normWeight.IsNone || input.Columns != weight.Units * CudaLinearWeight.UnitFeatures || !HasVectorRows(input);
        int parts = DenseRows.Parts(weight.Units, !normWeight.IsNone), lots = prepares ? DenseRows.Lots(rowTiles, parts) : 0;
        long prepared = prepares ? DenseRows.Bytes(weight.DType, Bf16Activations) * rowTiles * weight.Units : 0;
        nint rowData = prepares ? Scratch(prepared) : 0, squares = normWeight.IsNone ? 0 : Scratch(DenseRows.SquareBytes * rowTiles);
        nint counters = _rowCounters.Address;
        switch (weight.DType)
        {
            case DType.F32:
                Launch(rows == 64 ? InferenceKernels.DenseF32M64 : InferenceKernels.DenseF32M128, grid, input, input.Stride, weight.Data, normWeight, normEpsilon, bias, output, output.Stride,
                    input.Rows, input.Columns, weight.OutFeatures, weight.Units, weight.Tiles, gate, flags, rowData, squares, parts, counters, lots);
                break;
            case DType.I8:
                nint rowScales = Scratch(DenseRows.ScaleBytes * rowTiles * weight.Units);
                Launch(InferenceKernels.DenseInt8, grid with { DynamicShared = InferenceKernels.DenseInt8Shared }, input, input.Stride, weight.Data, weight.Scales, normWeight, normEpsilon, bias, output,
                    output.Stride, input.Rows, input.Columns, weight.OutFeatures, weight.Units, weight.Tiles, gate, flags, rowData, rowScales, squares, parts, counters, lots);
                break;
            default:
                Launch(Bf16Activations ? InferenceKernels.DenseBF16Rounded : InferenceKernels.DenseBF16, grid with { DynamicShared = InferenceKernels.DenseShared(Bf16Activations ? 1 : 3) }, input,
                    input.Stride, weight.Data, normWeight, normEpsilon, bias, output, output.Stride, input.Rows, input.Columns, weight.OutFeatures, weight.Units, weight.Tiles, gate, flags, rowData,
                    squares, parts, counters, lots);
                break;
        }
    }

    private static bool HasVectorRows(Tensor tensor) => tensor.Address % 16 == 0 && tensor.Stride % 4 == 0;

    private static CudaLinearWeight Packed(LinearWeight weight, string operation) =>
        weight as CudaLinearWeight ?? throw new ArgumentException($"{operation}: the weight was packed by another backend.", nameof(weight));
}
