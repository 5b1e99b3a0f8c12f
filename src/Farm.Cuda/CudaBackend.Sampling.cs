using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    // Up to this vocabulary one warp takes a row.
    private const int WarpVocabulary = 256;

    /// <inheritdoc/>
    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs, Tensor seen = default)
    {
        const string Op = nameof(Sample);
        ArgumentNullException.ThrowIfNull(parameters);
        int rows = logits.Rows, vocabulary = logits.Columns;
        RequireF32(logits, rows, vocabulary, Op, nameof(logits));
        Require(vocabulary > 0, Op, "the vocabulary is not empty", nameof(logits));
        RequireI32(keys, rows * 3, Op, nameof(keys));
        RequireI32(tokens, rows, Op, nameof(tokens));
        RequireF32(logprobs, 1, rows, Op, nameof(logprobs));
        Require(parameters.RepetitionPenalty == 1f || !seen.IsNone, Op, "a repetition penalty needs the seen tokens", nameof(seen));
        if (!seen.IsNone)
        {
            RequireI32(seen, rows * ((vocabulary + 31) / 32), Op, nameof(seen));
        }

        int masses = (vocabulary + 255) / 256 * sizeof(float);
        Require(masses <= InferenceKernels.MaxMassBytes, Op, "the vocabulary has at most 2,883,584 tokens", nameof(logits));
        Launch(vocabulary <= WarpVocabulary ? InferenceKernels.SampleWarp : InferenceKernels.SampleBlock, new Grid(rows, DynamicShared: masses), logits, logits.Stride, vocabulary,
            keys, tokens, logprobs, seen, seed, parameters.TopK, parameters.Temperature, parameters.TopP, parameters.MinP, parameters.RepetitionPenalty);
    }

    /// <inheritdoc/>
    public void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default)
    {
        const string Op = nameof(LogProbGather);
        int rows = logits.Rows;
        RequireF32(logits, rows, logits.Columns, Op, nameof(logits));
        RequireI32(ids, rows, Op, nameof(ids));
        RequireF32(logprobs, 1, rows, Op, nameof(logprobs));
        Require(temperature > 0, Op, "the temperature is above 0", nameof(temperature));
        if (!entropy.IsNone)
        {
            RequireF32(entropy, 1, rows, Op, nameof(entropy));
        }

        Launch(logits.Columns <= WarpVocabulary ? InferenceKernels.LogProbGatherWarp : InferenceKernels.LogProbGatherBlock, new Grid(rows), logits, logits.Stride, logits.Columns, ids,
            temperature, logprobs, entropy);
    }
}
