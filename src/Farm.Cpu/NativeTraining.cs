using System.Runtime.InteropServices;

namespace Farm.Cpu;

/// <summary>The C ABI of native/cpu/include/farm_native_training.h, name for name.</summary>
internal static partial class NativeTraining
{
    private const string Library = "farm_native";

    [LibraryImport(Library)]
    internal static partial int farm_matmul(nint context, in Matrix a, in Matrix b, nint c, int cStride, int m, int n, int k, int accumulate);

    [LibraryImport(Library)]
    internal static partial int farm_add_bias(nint context, nint bias, nint output, int stride, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial int farm_sum_rows(nint context, nint input, int stride, int rows, int columns, nint sum);

    [LibraryImport(Library)]
    internal static partial int farm_scale(nint context, nint source, int sourceStride, float scale, nint destination, int destinationStride, int rows, int columns, int accumulate);

    [LibraryImport(Library)]
    internal static partial int farm_rms_norm_backward(nint context, nint input, int inputStride, nint weight, float epsilon, nint outputGradient, int outputGradientStride,
        nint inputGradient, int inputGradientStride, nint weightGradient, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial int farm_rope_backward(nint context, nint gradient, int stride, int rows, int heads, int headDim, nint positions, nint cosine, nint sine);

    [LibraryImport(Library)]
    internal static partial int farm_attention_train(nint context, in AttentionArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_attention_backward(nint context, in AttentionArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_swiglu(nint context, nint gateUp, int gateUpStride, nint output, int outputStride, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial int farm_swiglu_backward(nint context, nint gateUp, int gateUpStride, nint outputGradient, int outputGradientStride,
        nint gateUpGradient, int gateUpGradientStride, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial int farm_embedding_backward(nint context, nint ids, nint outputGradient, int outputGradientStride, nint tableGradient, int tableStride, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial int farm_linear_cross_entropy(nint context, in CrossEntropyArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_sum_of_squares(nint context, nint data, long count, out double sum);

    [LibraryImport(Library)]
    internal static partial int farm_adamw(nint context, in AdamWArgs args);

    [StructLayout(LayoutKind.Sequential)]
    internal struct Matrix
    {
        internal nint Data;
        internal int DType;
        internal int Stride;
        internal int Transposed;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct AttentionArgs
    {
        internal nint Qkv;
        internal nint Output;
        internal nint LogSumExp;
        internal nint OutputGradient;
        internal nint QkvGradient;
        internal nint Starts;
        internal int Sequences;
        internal int QueryHeads;
        internal int KvHeads;
        internal int HeadDim;
        internal int QkvStride;
        internal int OutputStride;
        internal int OutputGradientStride;
        internal int QkvGradientStride;
        internal float Scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct CrossEntropyArgs
    {
        internal nint Hidden;
        internal Matrix Weight;
        internal nint Labels;
        internal nint Scales;
        internal nint Losses;
        internal nint HiddenGradient;
        internal nint WeightGradient;
        internal int Rows;
        internal int Columns;
        internal int Vocabulary;
        internal int HiddenStride;
        internal int HiddenGradientStride;
        internal int WeightGradientStride;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct AdamWArgs
    {
        internal nint Parameter;
        internal nint Gradient;
        internal nint FirstMoment;
        internal nint SecondMoment;
        internal long Count;
        internal int Step;
        internal float LearningRate;
        internal float Beta1;
        internal float Beta2;
        internal float Epsilon;
        internal float WeightDecay;
        internal float GradientScale;
    }
}
