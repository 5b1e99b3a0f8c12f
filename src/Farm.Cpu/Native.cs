using System.Runtime.InteropServices;

namespace Farm.Cpu;

/// <summary>The C ABI of native/cpu/include/farm_native.h, name for name.</summary>
internal static unsafe partial class Native
{
    /// <summary>FARM_ABI_VERSION of the header these declarations mirror.</summary>
    internal const int AbiVersion = 4;

    private const string Library = "farm_native";

    [LibraryImport(Library)]
    internal static partial int farm_best_level();

    [LibraryImport(Library)]
    internal static partial int farm_abi_version();

    [LibraryImport(Library)]
    internal static partial int farm_create(int threads, int level, out nint context);

    [LibraryImport(Library)]
    internal static partial void farm_destroy(nint context);

    [LibraryImport(Library)]
    internal static partial nint farm_allocate(long bytes);

    [LibraryImport(Library)]
    internal static partial void farm_free(nint memory, long bytes);

    [LibraryImport(Library)]
    internal static partial long farm_weight_data_bytes(int dtype, int inFeatures, int panels);

    [LibraryImport(Library)]
    internal static partial long farm_weight_scale_bytes(int dtype, int inFeatures, int panels);

    [LibraryImport(Library)]
    internal static partial int farm_weight_pack(nint context, in Weight weight, int part, int firstRow, int rows, void* source, int sourceType);

    [LibraryImport(Library)]
    internal static partial int farm_linear(nint context, in Weight weight, in LinearArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_rms_norm(nint context, nint input, int inputStride, nint weight, float epsilon, nint output, int outputStride, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial int farm_embedding(nint context, nint ids, int rows, nint table, int tableType, int tableStride, int columns, nint output, int outputStride);

    [LibraryImport(Library)]
    internal static partial int farm_embedding_packed(nint context, nint ids, int rows, in Weight table, nint output, int outputStride);

    [LibraryImport(Library)]
    internal static partial int farm_gather_rows(nint context, nint input, int inputStride, nint rows, int count, int columns, int elementBytes, nint output, int outputStride);

    [LibraryImport(Library)]
    internal static partial int farm_copy(nint context, nint input, int inputType, int inputStride, nint output, int outputType, int outputStride, int rows, int columns);

    [LibraryImport(Library)]
    internal static partial long farm_kv_head_bytes(int dtype, int headDim);

    [LibraryImport(Library)]
    internal static partial int farm_rope_append(nint context, nint qkv, int qkvStride, int rows, int queryHeads, int kvHeads, int headDim,
        nint positions, nint cosine, nint sine, Pool* pool, int layer, nint slots);

    [LibraryImport(Library)]
    internal static partial int farm_attention(nint context, in AttentionArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_sample(nint context, in SampleArgs args);

    [LibraryImport(Library)]
    internal static partial int farm_logprob_gather(nint context, nint logits, int logitsStride, int rows, int vocabulary, nint ids, float temperature, nint logprobs, nint entropy);

    [LibraryImport(Library)]
    internal static partial double farm_measure(nint context, int what);

    [StructLayout(LayoutKind.Sequential)]
    internal struct Weight
    {
        internal nint Data;
        internal nint Scales;
        internal int DType;
        internal int InFeatures;
        internal int OutFeatures;
        internal int Panels;
        internal int GateUp;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct LinearArgs
    {
        internal nint Input;
        internal nint NormWeight;
        internal nint Bias;
        internal nint Output;
        internal int Rows;
        internal int InputStride;
        internal int OutputStride;
        internal int Accumulate;
        internal int Bf16Activations;
        internal float NormEpsilon;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Pool
    {
        internal nint Data;
        internal int DType;
        internal int Layers;
        internal int Heads;
        internal int HeadDim;
        internal int Pages;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct AttentionArgs
    {
        internal nint Queries;
        internal nint Output;
        internal Pool* Pool;
        internal int* SequenceStart;
        internal int* PrefixLength;
        internal int* PrefixPageStart;
        internal int* PrefixPages;
        internal int* QueryStart;
        internal int* SuffixLength;
        internal int* SuffixPageStart;
        internal int* SuffixPages;
        internal int Groups;
        internal int Sequences;
        internal int QueryStride;
        internal int OutputStride;
        internal int QueryHeads;
        internal int Layer;
        internal float Scale;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct SampleArgs
    {
        internal nint Logits;
        internal nint Keys;
        internal nint Tokens;
        internal nint Logprobs;
        internal nint Seen;
        internal ulong Seed;
        internal int Rows;
        internal int Vocabulary;
        internal int LogitsStride;
        internal int TopK;
        internal float Temperature;
        internal float TopP;
        internal float MinP;
        internal float RepetitionPenalty;
    }
}
