using Farm.Models.Configuration;

namespace Farm.Inference.Tests;

/// <summary>
/// The model written a second time, straight from its formulas in float64: whole sequences, no cache, no packing, no shared prefix. Rotary
/// scaling is left out.
/// </summary>
internal sealed class NaiveLlama(MemoryCheckpoint checkpoint, ModelConfig config)
{
    /// <summary>Logits after the last of the tokens, [V].</summary>
    public double[] Logits(ReadOnlySpan<int> ids) => Product("lm_head.weight", Norm(Hidden(ids)[^1], "model.norm.weight"), null);

    /// <summary>Residual stream after the last layer, [T][H].</summary>
    public double[][] Hidden(ReadOnlySpan<int> ids)
    {
        int h = config.HiddenSize, d = config.HeadDim;
        var embedding = checkpoint.Values("model.embed_tokens.weight");
        var x = ids.ToArray().Select(id => embedding.Skip(id * h).Take(h).Select(v => (double)v).ToArray()).ToArray();
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string at = $"model.layers.{layer}.";
            double[][] q = new double[x.Length][], k = new double[x.Length][], v = new double[x.Length][];
            for (int t = 0; t < x.Length; t++)
            {
                var normed = Norm(x[t], at + "input_layernorm.weight");
                q[t] = Rotate(Product(at + "self_attn.q_proj.weight", normed, config.AttentionBias != AttentionBias.None ? at + "self_attn.q_proj.bias" : null), t);
                k[t] = Rotate(Product(at + "self_attn.k_proj.weight", normed, config.AttentionBias != AttentionBias.None ? at + "self_attn.k_proj.bias" : null), t);
                v[t] = Product(at + "self_attn.v_proj.weight", normed, config.AttentionBias != AttentionBias.None ? at + "self_attn.v_proj.bias" : null);
            }

            for (int t = 0; t < x.Length; t++)
            {
                var attended = new double[config.AttentionHeads * d];
                for (int head = 0; head < config.AttentionHeads; head++)
                {
                    int kvHead = head / (config.AttentionHeads / config.KeyValueHeads);
                    var weights = new double[t + 1];
                    for (int s = 0; s <= t; s++)
                    {
                        for (int i = 0; i < d; i++)
                        {
                            weights[s] += q[t][(head * d) + i] * k[s][(kvHead * d) + i] / Math.Sqrt(d);
                        }
                    }

                    double max = weights.Max(), sum = weights.Sum(w => Math.Exp(w - max));
                    for (int s = 0; s <= t; s++)
                    {
                        for (int i = 0; i < d; i++)
                        {
                            attended[(head * d) + i] += Math.Exp(weights[s] - max) / sum * v[s][(kvHead * d) + i];
                        }
                    }
                }

                Add(x[t], Product(at + "self_attn.o_proj.weight", attended, config.AttentionBias == AttentionBias.All ? at + "self_attn.o_proj.bias" : null));
                var normed = Norm(x[t], at + "post_attention_layernorm.weight");
                var gate = Product(at + "mlp.gate_proj.weight", normed, null);
                var up = Product(at + "mlp.up_proj.weight", normed, null);
                Add(x[t], Product(at + "mlp.down_proj.weight", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], null));
            }
        }

        return x;
    }

    public double[] Norm(double[] x, string weight)
    {
        double scale = 1 / Math.Sqrt(x.Average(v => v * v) + config.RmsNormEpsilon);
        return [.. x.Zip(checkpoint.Values(weight), (v, w) => v * scale * w)];
    }

    private static void Add(double[] x, double[] y)
    {
        for (int i = 0; i < x.Length; i++)
        {
            x[i] += y[i];
        }
    }

    private double[] Product(string weight, double[] x, string? bias)
    {
        float[] w = checkpoint.Values(weight), b = bias is null ? [] : checkpoint.Values(bias);
        var y = new double[w.Length / x.Length];
        for (int o = 0; o < y.Length; o++)
        {
            y[o] = bias is null ? 0 : b[o];
            for (int i = 0; i < x.Length; i++)
            {
                y[o] += w[(o * x.Length) + i] * x[i];
            }
        }

        return y;
    }

    private double[] Rotate(double[] heads, int position)
    {
        int d = config.HeadDim, half = d / 2;
        var rotated = new double[heads.Length];
        for (int start = 0; start < heads.Length; start += d)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position * Math.Pow(config.RopeTheta, -2.0 * i / d), a = heads[start + i], b = heads[start + i + half];
                rotated[start + i] = (a * Math.Cos(angle)) - (b * Math.Sin(angle));
                rotated[start + i + half] = (b * Math.Cos(angle)) + (a * Math.Sin(angle));
            }
        }

        return rotated;
    }
}
