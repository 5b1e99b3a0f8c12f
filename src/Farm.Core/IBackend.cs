namespace Farm.Core;

/// <summary>
/// The operations that models are written over: the one seam between managed code and kernels. T is the number of token rows of
/// a call, B the number of sequences in a decode step, V the vocabulary. Activations are F32 unless said otherwise. Every operation writes its
/// output completely unless it says "accumulates". A row's result never depends on the other rows of the call, nor on the number of threads.
/// Calls are ordered; an output may be read on the host after <see cref="Download{T}"/> or <see cref="Synchronize"/>.
/// Operands of a wrong shape or type throw <see cref="ArgumentException"/>.
/// </summary>
public interface IBackend : IDisposable
{
    /// <summary>The device as the command line names it: <c>cpu</c>, <c>cuda:0</c>.</summary>
    string Name { get; }

    /// <summary>Allocates zeroed memory, aligned to 64 bytes.</summary>
    DeviceMemory Allocate(long bytes);

    /// <summary>Copies host elements to a contiguous tensor of the same count; later operations see them.</summary>
    void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged;

    /// <summary>Waits for the tensor's value and copies it to the host; the tensor is contiguous.</summary>
    void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged;

    /// <summary>Waits for all operations so far.</summary>
    void Synchronize();

    /// <summary>Copies [T, C] to [T, C], converting between F32 and BF16 (round to nearest even) where the types differ.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>output[i, :] = input[rows[i], :], any element type; rows is I32 [1, count].</summary>
    void GatherRows(Tensor input, Tensor rows, Tensor output);

    /// <summary>
    /// Reads the parts by rows and packs them into one weight stored as F32, BF16 (round to nearest even) or I8 (symmetric, a float32
    /// scale per output feature and group of 64 input features, absolute maximum over 127). All parts have the same number of columns.
    /// </summary>
    /// <exception cref="BadInputException">A value is NaN or infinite; the message names the part and the row.</exception>
    LinearWeight PackLinear(IReadOnlyList<IRowSource> parts, DType storage, LinearLayout layout = LinearLayout.Concatenated);

    /// <summary>A pool of key/value pages; the memory is reserved at once and touched when first written.</summary>
    KvPool CreateKvPool(KvShape shape, int pages);

    /// <summary>output[t, :] = table[ids[t], :] as F32. ids I32 [1, T]; table F32 or BF16 [V, width], row-major.</summary>
    void Embedding(Tensor ids, Tensor table, Tensor output);

    /// <summary>The same from a packed weight [V, width], for models whose output layer is tied to the embedding.</summary>
    void Embedding(Tensor ids, LinearWeight table, Tensor output);

    /// <summary>
    /// output = x / sqrt(mean(x^2) + epsilon) * weight, per row of [T, C] (Zhang and Sennrich, "Root Mean Square Layer
    /// Normalization", 2019, eq. 4). weight F32 [1, C].
    /// </summary>
    void RmsNorm(Tensor input, Tensor weight, float epsilon, Tensor output);

    /// <summary>
    /// output [T, out] = f(x) W^T + bias (+ output where <paramref name="accumulate"/>), where f is RMSNorm with
    /// <paramref name="normWeight"/> [1, in] if that is given, else the identity. bias is F32 [1, out] or none. A GateUp weight
    /// gives SwiGLU and takes neither bias nor accumulation. With I8 weights the activations are quantised per row and group of
    /// 64 to 8 bits, and the products of a group summed exactly in int32.
    /// </summary>
    void Linear(Tensor input, LinearWeight weight, Tensor output, Tensor bias = default, bool accumulate = false,
        Tensor normWeight = default, float normEpsilon = 0f);

    /// <summary>
    /// Rotary embedding in place on the first <paramref name="queryHeads"/> heads of each row of qkv [T, (queryHeads + 2 kvHeads) *
    /// headDim] and the kvHeads key heads after them (Su et al., RoFormer, 2021, section 3.4; halves paired as i and i + headDim/2, as in
    /// LLaMA checkpoints of Hugging Face), then appends keys and values to <paramref name="pool"/> at <paramref name="layer"/>.
    /// positions I32 [1, T] index the rows of cosine and sine, F32 [maxPositions, headDim/2]. slots I32 [1, T] say where each row's key
    /// and value go. A null pool appends nothing.
    /// </summary>
    void RopeAppendKv(Tensor qkv, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine,
        KvPool? pool, int layer, Tensor slots);

    /// <summary>
    /// Causal softmax attention of the query rows over the pool as <paramref name="plan"/> says, scale on the scores before
    /// softmax, grouped-query heads (Ainslie et al., GQA, 2023), online softmax (Milakov and Gimelshein, 2018; Dao, FlashAttention-2,
    /// 2023), prefix and suffix merged by log-sum-exp. queries F32 [T, queryHeads * headDim] (a column slice of qkv), output F32 [T, queryHeads * headDim].
    /// </summary>
    void Attention(Tensor queries, int queryHeads, KvPool pool, int layer, AttentionPlan plan, float scale, Tensor output);

    /// <summary>
    /// Draws one token per row. logits F32 [B, V], not changed. keys I32 [B, 3] is (prompt index, sample index, position) of each draw: u =
    /// <see cref="Philox.Uniform"/>(seed, keys), and the token is the first whose cumulative probability, in order of id, exceeds u. tokens I32
    /// [1, B]. logprobs F32 [1, B] is log softmax of the raw logits (before penalty, temperature and filters) at the drawn token. seen I32 [B,
    /// ceil(V / 32)] is a bit set of the tokens so far; given only with a repetition penalty, and the drawn token is added to it. Bits beyond V mean
    /// nothing.
    /// </summary>
    void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs, Tensor seen = default);

    /// <summary>
    /// logprobs[t] = log softmax(logits[t] / temperature)[ids[t]] and, where asked, entropy[t] of the same distribution in nats; F32 [1,
    /// T]. logits F32 [T, V] are read once and nothing of their size is written.
    /// </summary>
    void LogProbGather(Tensor logits, Tensor ids, float temperature, Tensor logprobs, Tensor entropy = default);
}
