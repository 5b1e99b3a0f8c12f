using System.Runtime.InteropServices;

namespace Farm.Cpu;

/// <summary>The C ABI of native/cpu/include/farm_native_reinforcement.h, name for name.</summary>
internal static partial class NativeReinforcement
{
    private const string Library = "farm_native";

    [LibraryImport(Library)]
    internal static partial int farm_gae(nint context, nint rewards, nint values, nint starts, int rows, float gamma, float lambda, nint advantages, nint returns);

    [LibraryImport(Library)]
    internal static partial int farm_whiten(nint context, nint input, long n, int shiftMean, nint output);

    [LibraryImport(Library)]
    internal static partial int farm_token_kl(nint context, nint logProbs, nint referenceLogProbs, long n, int estimator, nint kl);

    [LibraryImport(Library)]
    internal static partial int farm_linear_policy(nint context, in PolicyArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_value_loss(nint context, nint values, nint oldValues, nint returns, long n, float clip, float scale, nint losses, nint clipped, nint gradients);

    [LibraryImport(Library)]
    internal static partial int farm_dpo_loss(nint context, in DpoArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_pairwise_loss(nint context, nint rewards, int rewardsStride, nint choices, int pairs, float scale, nint losses, nint gradients, int gradientsStride);

    [LibraryImport(Library)]
    internal static partial int farm_quark_loss(nint context, in QuarkArgs args);

    [StructLayout(LayoutKind.Sequential)]
    internal struct PolicyArgs
    {
        internal nint Hidden;
        internal NativeTraining.Matrix Weight;
        internal nint Ids;
        internal nint LogProbs;
        internal nint Entropies;
        internal nint Gradients;
        internal nint OldLogProbs;
        internal nint Advantages;
        internal nint Losses;
        internal nint Clipped;
        internal nint HiddenGradient;
        internal nint WeightGradient;
        internal int Rows;
        internal int Columns;
        internal int Vocabulary;
        internal int HiddenStride;
        internal int HiddenGradientStride;
        internal int WeightGradientStride;
        internal float Temperature;
        internal float Clip;
        internal float Scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct DpoArgs
    {
        internal nint PolicyChosen;
        internal nint PolicyRejected;
        internal nint ReferenceChosen;
        internal nint ReferenceRejected;
        internal nint Losses;
        internal nint Gradients;
        internal long Count;
        internal int Kind;
        internal float Beta;
        internal float LabelSmoothing;
        internal float Scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct QuarkArgs
    {
        internal nint Logits;
        internal nint ReferenceLogits;
        internal nint Ids;
        internal nint Losses;
        internal nint LogProbs;
        internal nint Kl;
        internal nint Entropies;
        internal nint Gradient;
        internal int Rows;
        internal int Columns;
        internal int LogitsStride;
        internal int ReferenceStride;
        internal int GradientStride;
        internal int Vocabulary;
        internal float Temperature;
        internal float KlCoefficient;
        internal float EntropyCoefficient;
        internal float Scale;
    }
}
