using Farm.Core;

namespace Farm.Models.Configuration;

/// <summary>Which attention projections have a bias.</summary>
public enum AttentionBias
{
    /// <summary>None of them.</summary>
    None = 0,

    /// <summary>Query, key and value, as in Qwen2.</summary>
    QueryKeyValue = 1,

    /// <summary>Query, key, value and output: <c>attention_bias</c> of a LLaMA configuration.</summary>
    All = 2,
}

/// <summary>
/// The architecture of a LLaMA-family decoder as its config.json has it: pre-norm blocks of grouped-query attention with rotary embeddings and a
/// SwiGLU MLP. Token ids and sizes are in the units of config.json.
/// </summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>: llama, mistral or qwen2.</summary>
    public string ModelType { get; init; } = "llama";

    /// <summary><c>vocab_size</c>: rows of the embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary><c>hidden_size</c>: width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary><c>intermediate_size</c>: width of the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary><c>num_hidden_layers</c>.</summary>
    public required int Layers { get; init; }

    /// <summary><c>num_attention_heads</c>: query heads.</summary>
    public required int AttentionHeads { get; init; }

    /// <summary><c>num_key_value_heads</c>; divides the query heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary><c>head_dim</c>, else hidden_size / num_attention_heads; even.</summary>
    public required int HeadDim { get; init; }

    /// <summary><c>rms_norm_eps</c>.</summary>
    public double RmsNormEpsilon { get; init; } = 1e-6;

    /// <summary><c>rope_theta</c>: base of the rotary wavelengths.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary><c>rope_scaling</c> or <c>rope_parameters</c>.</summary>
    public RopeScaling RopeScaling { get; init; } = RopeScaling.None;

    /// <summary><c>max_position_embeddings</c>: the context in tokens.</summary>
    public int MaxPositionEmbeddings { get; init; } = 2048;

    /// <summary><c>tie_word_embeddings</c>: the output layer is the embedding.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Which attention projections have a bias.</summary>
    public AttentionBias AttentionBias { get; init; }

    /// <summary><c>mlp_bias</c>: gate, up and down have a bias.</summary>
    public bool MlpBias { get; init; }

    /// <summary><c>bos_token_id</c>, null if the model has none.</summary>
    public int? BosId { get; init; }

    /// <summary>
    /// The ids that end a sequence: <c>eos_token_id</c> of generation_config.json, where there is one, followed by those of
    /// config.json that it does not list. Chat models often end turns with an id that only one of the two files names.
    /// </summary>
    public IReadOnlyList<int> EosIds { get; init; } = [];

    /// <summary><c>pad_token_id</c>, null if the model has none. It may lie past the vocabulary.</summary>
    public int? PadId { get; init; }

    /// <summary><c>torch_dtype</c> (or <c>dtype</c>): what the weights were saved as, null if it is not said or not a weight type.</summary>
    public DType? TorchDType { get; init; }

    /// <summary>Width of the concatenated query heads.</summary>
    public int QueryWidth => AttentionHeads * HeadDim;

    /// <summary>Width of the concatenated key (or value) heads.</summary>
    public int KeyValueWidth => KeyValueHeads * HeadDim;

    /// <summary>Reads and checks <c>config.json</c> of a model folder, and <c>generation_config.json</c> for the end-of-sequence ids.</summary>
    /// <exception cref="BadInputException">
    /// A file is missing or not JSON, a field has a wrong type or value, or the model needs something Farm does not have (another
    /// architecture, a sliding window, another rotary scaling, quantised weights).
    /// </exception>
    public static ModelConfig Load(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return ModelConfigReader.Load(folder);
    }

    /// <summary>Writes a Hugging Face config.json into the folder, which is created if need be.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public void Save(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ModelConfigWriter.Save(this, folder);
    }
}
