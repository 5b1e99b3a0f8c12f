using Farm.Core;

namespace Farm.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        const string Op = nameof(Copy);
        Require(source.DType is DType.F32 or DType.BF16 && destination.DType is DType.F32 or DType.BF16, Op, "tensors are F32 or BF16", nameof(source));
        Require(source.Rows == destination.Rows && source.Columns == destination.Columns, Op, $"{source} does not fit {destination}", nameof(destination));
        Check(Native.farm_copy(Context, source.Address, (int)source.DType, source.Stride, destination.Address, (int)destination.DType, destination.Stride, source.Rows, source.Columns));
    }

    /// <inheritdoc/>
    public void GatherRows(Tensor input, Tensor rows, Tensor output)
    {
        const string Op = nameof(GatherRows);
        Require(input.DType == output.DType && input.Columns == output.Columns, Op, $"{input} does not fit {output}", nameof(output));
        RequireI32(rows, output.Rows, Op, nameof(rows));
        Check(Native.farm_gather_rows(Context, input.Address, input.Stride, rows.Address, output.Rows, input.Columns, input.DType.Size(), output.Address, output.Stride));
    }

    /// <inheritdoc/>
    public void Embedding(Tensor ids, Tensor table, Tensor output)
    {
        const string Op = nameof(Embedding);
        Require(table.DType is DType.F32 or DType.BF16, Op, "the table is F32 or BF16", nameof(table));
        RequireI32(ids, output.Rows, Op, nameof(ids));
        RequireF32(output, output.Rows, table.Columns, Op, nameof(output));
        Check(Native.farm_embedding(Context, ids.Address, output.Rows, table.Address, (int)table.DType, table.Stride, table.Columns, output.Address, output.Stride));
    }

    /// <inheritdoc/>
    public void Embedding(Tensor ids, LinearWeight table, Tensor output)
    {
        const string Op = nameof(Embedding);
        var packed = Packed(table, Op);
        Require(packed.Layout == LinearLayout.Concatenated, Op, "the table is no GateUp weight", nameof(table));
        RequireI32(ids, output.Rows, Op, nameof(ids));
        RequireF32(output, output.Rows, packed.InFeatures, Op, nameof(output));
        Check(Native.farm_embedding_packed(Context, ids.Address, output.Rows, packed.Handle, output.Address, output.Stride));
    }

    /// <inheritdoc/>
    public void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output)
    {
        const string Op = nameof(RmsNorm);
        RequireF32(input, input.Rows, input.Columns, Op, nameof(input));
        RequireF32(weight, 1, input.Columns, Op, nameof(weight));
        RequireF32(output, input.Rows, input.Columns, Op, nameof(output));
        Check(Native.farm_rms_norm(Context, input.Address, input.Stride, weight.Address, epsilon, output.Address, output.Stride, input.Rows, input.Columns));
    }

    /// <inheritdoc/>
    public void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine, KvPool? pool, int layer, Tensor slots)
    {
        const string Op = nameof(RopeAppendKv);
        int half = cosine.Columns, headDim = half * 2;
        RequireF32(qkv, qkv.Rows, (queryHeads + (2 * kvHeads)) * headDim, Op, nameof(qkv));
        RequireI32(positions, qkv.Rows, Op, nameof(positions));
        RequireF32(cosine, cosine.Rows, half, Op, nameof(cosine));
        RequireF32(sine, cosine.Rows, half, Op, nameof(sine));
        Require(cosine.IsContiguous && sine.IsContiguous, Op, "cosine and sine are contiguous", nameof(cosine));
        if (pool is null)
        {
            Check(Native.farm_rope_append(Context, qkv.Address, qkv.Stride, qkv.Rows, queryHeads, kvHeads, headDim, positions.Address, cosine.Address, sine.Address, null, 0, 0));
            return;
        }

        RequireI32(slots, qkv.Rows, Op, nameof(slots));
        RequirePool(pool, kvHeads, headDim, layer, Op);
        var handle = ((CpuKvPool)pool).Handle;
        Check(Native.farm_rope_append(Context, qkv.Address, qkv.Stride, qkv.Rows, queryHeads, kvHeads, headDim, positions.Address, cosine.Address, sine.Address, &handle, layer, slots.Address));
    }

    /// <inheritdoc/>
    public void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output)
    {
        const string Op = nameof(Attention);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(plan);
        RequirePool(pool, pool.Shape.KeyValueHeads, pool.Shape.HeadDim, layer, Op);
        Require(queryHeads > 0 && queryHeads % pool.Shape.KeyValueHeads == 0, Op, "query heads are a multiple of key/value heads", nameof(queryHeads));
        RequireF32(queries, plan.QueryRows, queryHeads * pool.Shape.HeadDim, Op, nameof(queries));
        RequireF32(output, plan.QueryRows, queryHeads * pool.Shape.HeadDim, Op, nameof(output));
        var handle = ((CpuKvPool)pool).Handle;
        fixed (int* sequenceStart = plan.SequenceStart, prefixLength = plan.PrefixLength, prefixPageStart = plan.PrefixPageStart, prefixPages = plan.PrefixPages)
        fixed (int* queryStart = plan.QueryStart, suffixLength = plan.SuffixLength, suffixPageStart = plan.SuffixPageStart, suffixPages = plan.SuffixPages)
        {
            Check(Native.farm_attention(Context, new Native.AttentionArgs
            {
                Queries = queries.Address,
                Output = output.Address,
                Pool = &handle,
                SequenceStart = sequenceStart,
                PrefixLength = prefixLength,
                PrefixPageStart = prefixPageStart,
                PrefixPages = prefixPages,
                QueryStart = queryStart,
                SuffixLength = suffixLength,
                SuffixPageStart = suffixPageStart,
                SuffixPages = suffixPages,
                Groups = plan.Groups,
                Sequences = plan.Sequences,
                QueryStride = queries.Stride,
                OutputStride = output.Stride,
                QueryHeads = queryHeads,
                Layer = layer,
                Scale = scale,
            }));
        }
    }

    /// <inheritdoc/>
    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs, Tensor seen = default)
    {
        const string Op = nameof(Sample);
        ArgumentNullException.ThrowIfNull(parameters);
        int rows = logits.Rows;
        RequireF32(logits, rows, logits.Columns, Op, nameof(logits));
        Require(logits.Columns > 0, Op, "the vocabulary is not empty", nameof(logits));
        RequireI32(keys, rows * 3, Op, nameof(keys));
        RequireI32(tokens, rows, Op, nameof(tokens));
        RequireF32(logprobs, 1, rows, Op, nameof(logprobs));
        Require(parameters.RepetitionPenalty == 1f || !seen.IsNone, Op, "a repetition penalty needs the seen tokens", nameof(seen));
        if (!seen.IsNone)
        {
            RequireI32(seen, rows * ((logits.Columns + 31) / 32), Op, nameof(seen));
        }

        Check(Native.farm_sample(Context, new Native.SampleArgs
        {
            Logits = logits.Address,
            Keys = keys.Address,
            Tokens = tokens.Address,
            Logprobs = logprobs.Address,
            Seen = seen.Address,
            Seed = seed,
            Rows = rows,
            Vocabulary = logits.Columns,
            LogitsStride = logits.Stride,
            TopK = parameters.TopK,
            Temperature = parameters.Temperature,
            TopP = parameters.TopP,
            MinP = parameters.MinP,
            RepetitionPenalty = parameters.RepetitionPenalty,
        }));
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

        Check(Native.farm_logprob_gather(Context, logits.Address, logits.Stride, rows, logits.Columns, ids.Address, temperature, logprobs.Address, entropy.Address));
    }

    private static void RequirePool(KvPool pool, int kvHeads, int headDim, int layer, string operation)
    {
        Require(pool is CpuKvPool, operation, "the key/value pool belongs to another backend", nameof(pool));
        RequirePoolShape(pool, kvHeads, headDim, layer, operation);
    }
}
