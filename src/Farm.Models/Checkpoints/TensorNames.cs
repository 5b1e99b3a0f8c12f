namespace Farm.Models.Checkpoints;

/// <summary>Names of the tensors of a LLaMA-family checkpoint in Hugging Face's spelling.</summary>
/// <param name="Prefix">What stands before every name: empty, or <see cref="RewardPrefix"/>.</param>
public readonly record struct TensorNames(string Prefix)
{
    /// <summary>Prefix of the decoder in an AlpacaFarm reward model.</summary>
    public const string RewardPrefix = "backbone_model.";

    /// <summary>Weight of the scalar head of a reward model, [1, hidden].</summary>
    public const string RewardHeadWeight = "reward_head.weight";

    /// <summary>Bias of the scalar head of a reward model, [1].</summary>
    public const string RewardHeadBias = "reward_head.bias";

    /// <summary>[vocabulary, hidden].</summary>
    public string Embedding => $"{Prefix}model.embed_tokens.weight";

    /// <summary>[hidden].</summary>
    public string FinalNorm => $"{Prefix}model.norm.weight";

    /// <summary>[vocabulary, hidden]; absent when it is tied to the embedding.</summary>
    public string OutputHead => $"{Prefix}lm_head.weight";

    /// <summary>[hidden]: norm before attention.</summary>
    public string AttentionNorm(int layer) => Layer(layer, "input_layernorm.weight");

    /// <summary>[hidden]: norm before the MLP.</summary>
    public string MlpNorm(int layer) => Layer(layer, "post_attention_layernorm.weight");

    /// <summary>[heads * headDim, hidden].</summary>
    public string Query(int layer) => Layer(layer, "self_attn.q_proj.weight");

    /// <summary>[kvHeads * headDim, hidden].</summary>
    public string Key(int layer) => Layer(layer, "self_attn.k_proj.weight");

    /// <summary>[kvHeads * headDim, hidden].</summary>
    public string Value(int layer) => Layer(layer, "self_attn.v_proj.weight");

    /// <summary>[hidden, heads * headDim].</summary>
    public string AttentionOutput(int layer) => Layer(layer, "self_attn.o_proj.weight");

    /// <summary>[intermediate, hidden].</summary>
    public string Gate(int layer) => Layer(layer, "mlp.gate_proj.weight");

    /// <summary>[intermediate, hidden].</summary>
    public string Up(int layer) => Layer(layer, "mlp.up_proj.weight");

    /// <summary>[hidden, intermediate].</summary>
    public string Down(int layer) => Layer(layer, "mlp.down_proj.weight");

    /// <summary>The bias that belongs to a weight.</summary>
    public static string BiasOf(string weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return weight[..^"weight".Length] + "bias";
    }

    private string Layer(int layer, string name) => $"{Prefix}model.layers.{layer}.{name}";
}
