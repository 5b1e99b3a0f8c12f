using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
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

        int flags = (accumulate ? AccumulateFlag : 0) | (HasVectorRows(input) ? AlignedRowsFlag : 0), gate = gateUp ? 1 : 0;
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

    private static bool HasVectorRows(Tensor tensor) => tensor.Address % 16 == 0 && tensor.Stride % 4 == 0;

    private static CudaLinearWeight Packed(LinearWeight weight, string operation) =>
        weight as CudaLinearWeight ?? throw new ArgumentException($"{operation}: the weight was packed by another backend.", nameof(weight));
}
