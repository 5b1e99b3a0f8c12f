using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Parity;

/// <summary>
/// A LLaMA forward pass in float64 with no other aim than to be plain: it shares no code with the engine, so that values of a checkpoint
/// can be checked before and without it.
/// </summary>
internal sealed class PlainLlama(ModelConfig config, ICheckpoint checkpoint, string prefix = "")
{
    private readonly TensorNames _names = new(prefix);
    private readonly Dictionary<string, float[]> _weights = [];

    /// <summary>The final-normed hidden state of the last token.</summary>
    public double[] LastHidden(int[] ids)
    {
        int width = config.HiddenSize;
        float[] embedding = Weight(_names.Embedding);
        double[][] x = [.. ids.Select(id => embedding.AsSpan(id * width, width).ToArray().Select(v => (double)v).ToArray())];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            Attention(x, layer);
            foreach (double[] token in x)
            {
                double[] normed = Norm(token, _names.MlpNorm(layer));
                double[] gate = Linear(normed, _names.Gate(layer)), up = Linear(normed, _names.Up(layer));
                double[] product = [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)];
                Add(token, Linear(product, _names.Down(layer)));
            }
        }

        return Norm(x[^1], _names.FinalNorm);
    }

    /// <summary>Logits of a hidden state.</summary>
    public double[] Logits(double[] hidden) => Linear(hidden, config.TieWordEmbeddings ? _names.Embedding : _names.OutputHead);

    private void Attention(double[][] x, int layer)
    {
        double[][] normed = [.. x.Select(t => Norm(t, _names.AttentionNorm(layer)))];
        double[][] queries = [.. normed.Select((t, i) => Rotate(Linear(t, _names.Query(layer)), i))];
        double[][] keys = [.. normed.Select((t, i) => Rotate(Linear(t, _names.Key(layer)), i))];
        double[][] values = [.. normed.Select(t => Linear(t, _names.Value(layer)))];
        int d = config.HeadDim, group = config.AttentionHeads / config.KeyValueHeads;
        for (int t = 0; t < x.Length; t++)
        {
            double[] mixed = new double[config.QueryWidth];
            for (int head = 0; head < config.AttentionHeads; head++)
            {
                int q = head * d, kv = head / group * d;
                double[] scores = [.. Enumerable.Range(0, t + 1).Select(s =>
                    Enumerable.Range(0, d).Sum(i => queries[t][q + i] * keys[s][kv + i]) / Math.Sqrt(d))];
                double max = scores.Max();
                double[] weights = [.. scores.Select(s => Math.Exp(s - max))];
                double sum = weights.Sum();
                for (int s = 0; s <= t; s++)
                {
                    for (int i = 0; i < d; i++)
                    {
                        mixed[q + i] += weights[s] / sum * values[s][kv + i];
                    }
                }
            }

            Add(x[t], Linear(mixed, _names.AttentionOutput(layer)));
        }
    }

    private double[] Rotate(double[] heads, int position)
    {
        int half = config.HeadDim / 2;
        double[] rotated = new double[heads.Length];
        for (int h = 0; h < heads.Length; h += config.HeadDim)
        {
            for (int i = 0; i < half; i++)
            {
                double angle = position * Frequency(i), cosine = Math.Cos(angle), sine = Math.Sin(angle);
                double a = heads[h + i], b = heads[h + half + i];
                rotated[h + i] = (a * cosine) - (b * sine);
                rotated[h + half + i] = (b * cosine) + (a * sine);
            }
        }

        return rotated;
    }

    private double Frequency(int pair)
    {
        double frequency = Math.Pow(config.RopeTheta, -2.0 * pair / config.HeadDim);
        var scaling = config.RopeScaling;
        double periods = scaling.OriginalMaxPositions * frequency / (2 * Math.PI);
        double kept = scaling.Kind switch
        {
            RopeScalingKind.None => 1,
            RopeScalingKind.Linear => 0,
            _ => Math.Clamp((periods - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor), 0, 1),
        };
        return frequency * (kept + ((1 - kept) / scaling.Factor));
    }

    private double[] Norm(double[] x, string name)
    {
        float[] weight = Weight(name);
        double scale = 1 / Math.Sqrt((x.Sum(v => v * v) / x.Length) + config.RmsNormEpsilon);
        return [.. x.Zip(weight, (v, w) => v * scale * w)];
    }

    private double[] Linear(double[] x, string name)
    {
        float[] weight = Weight(name);
        double[] y = new double[weight.Length / x.Length];
        for (int o = 0; o < y.Length; o++)
        {
            var row = weight.AsSpan(o * x.Length, x.Length);
            for (int i = 0; i < row.Length; i++)
            {
                y[o] += row[i] * x[i];
            }
        }

        return y;
    }

    private static void Add(double[] x, double[] y)
    {
        for (int i = 0; i < x.Length; i++)
        {
            x[i] += y[i];
        }
    }

    private float[] Weight(string name)
    {
        if (!_weights.TryGetValue(name, out float[]? values))
        {
            _weights[name] = values = checkpoint.Tensors[name].ReadFloats();
        }

        return values;
    }
}
