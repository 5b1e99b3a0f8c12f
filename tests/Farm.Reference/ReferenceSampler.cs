using Farm.Core;

namespace Farm.Reference;

/// <summary>The distribution that <see cref="IBackend.Sample"/> draws from, written out in full.</summary>
public static class ReferenceSampler
{
    /// <summary>
    /// The probability of every token after repetition penalty, temperature, top-k, top-p and min-p, renormalised.
    /// <paramref name="seen"/> is a bit set, token t at bit t % 32 of word t / 32; empty for none.
    /// </summary>
    public static double[] Probabilities(ReadOnlySpan<float> logits, SamplingParameters parameters, ReadOnlySpan<int> seen = default)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        return Probabilities(logits, parameters, seen, parameters.TopP, parameters.MinP);
    }

    /// <summary>
    /// The same with the thresholds of top-p and min-p in place of the parameters' own, to see what a rounding at a filter's edge
    /// would change.
    /// </summary>
    public static double[] Probabilities(ReadOnlySpan<float> logits, SamplingParameters parameters, ReadOnlySpan<int> seen, double topP,
        double minP)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        double[] scores = Penalised(logits, parameters.RepetitionPenalty, seen);
        if (parameters.Temperature == 0)
        {
            var greedy = new double[scores.Length];
            greedy[Array.IndexOf(scores, scores.Max())] = 1;
            return greedy;
        }

        double[] probabilities = Softmax(scores, parameters.Temperature);
        int[] ranked = [.. Enumerable.Range(0, scores.Length).OrderByDescending(t => scores[t]).ThenBy(t => t)];

        // top-k: the k best, and their mass becomes 1 before top-p looks at it.
        int kept = parameters.TopK > 0 ? Math.Min(parameters.TopK, ranked.Length) : ranked.Length;
        double mass = Mass(probabilities, ranked, kept);

        // top-p: the shortest run of the best whose share of the mass reaches p.
        if (topP < 1)
        {
            double reached = 0;
            for (int r = 0; r < kept; r++)
            {
                reached += probabilities[ranked[r]] / mass;
                if (reached >= topP)
                {
                    kept = r + 1;
                    break;
                }
            }
        }

        // min-p: only what is at least that fraction as probable as the best.
        while (kept > 1 && probabilities[ranked[kept - 1]] < minP * probabilities[ranked[0]])
        {
            kept--;
        }

        mass = Mass(probabilities, ranked, kept);
        var result = new double[scores.Length];
        for (int r = 0; r < kept; r++)
        {
            result[ranked[r]] = probabilities[ranked[r]] / mass;
        }

        return result;
    }

    /// <summary>The first token, in order of id, whose cumulative probability exceeds <paramref name="u"/>.</summary>
    public static int Draw(ReadOnlySpan<double> probabilities, double u)
    {
        double cumulative = 0;
        int last = 0;
        for (int t = 0; t < probabilities.Length; t++)
        {
            cumulative += probabilities[t];
            if (probabilities[t] > 0)
            {
                last = t;
                if (cumulative > u)
                {
                    return t;
                }
            }
        }

        return last;
    }

    /// <summary>log softmax(logits / temperature), each in double.</summary>
    public static double[] LogSoftmax(ReadOnlySpan<float> logits, double temperature = 1)
    {
        double largest = double.NegativeInfinity, total = 0;
        foreach (float x in logits)
        {
            largest = Math.Max(largest, x / temperature);
        }

        foreach (float x in logits)
        {
            total += Math.Exp((x / temperature) - largest);
        }

        var result = new double[logits.Length];
        for (int t = 0; t < result.Length; t++)
        {
            result[t] = (logits[t] / temperature) - largest - Math.Log(total);
        }

        return result;
    }

    // x > 0 ? x / penalty : x * penalty for the tokens seen.
    private static double[] Penalised(ReadOnlySpan<float> logits, double penalty, ReadOnlySpan<int> seen)
    {
        var scores = new double[logits.Length];
        for (int t = 0; t < scores.Length; t++)
        {
            bool repeated = !seen.IsEmpty && ((seen[t / 32] >> (t % 32)) & 1) != 0;
            scores[t] = !repeated ? logits[t] : logits[t] > 0 ? logits[t] / penalty : logits[t] * penalty;
        }

        return scores;
    }

    private static double[] Softmax(double[] scores, double temperature)
    {
        double largest = scores.Max();
        double[] exponentials = Array.ConvertAll(scores, x => Math.Exp((x - largest) / temperature));
        double total = exponentials.Sum();
        return Array.ConvertAll(exponentials, x => x / total);
    }

    private static double Mass(double[] probabilities, int[] ranked, int kept)
    {
        double mass = 0;
        for (int r = 0; r < kept; r++)
        {
            mass += probabilities[ranked[r]];
        }

        return mass;
    }
}
