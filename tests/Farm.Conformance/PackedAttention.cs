using Farm.Reference;

namespace Farm.Conformance;

/// <summary>The operands of training attention over a packed batch, and the numbers its bounds are made of.</summary>
internal sealed class PackedAttention
{
    private readonly float[] _values;
    private readonly int[] _start, _first;
    private readonly int _kvHeads, _headDim;

    public PackedAttention(Rig rig, int[] lengths, int heads, int kvHeads, int headDim, int pad)
    {
        (Heads, _kvHeads, _headDim, Rows, Width) = (heads, kvHeads, headDim, lengths.Sum(), (heads + (2 * kvHeads)) * headDim);
        Scale = (float)(1 / Math.Sqrt(headDim));
        _start = [0, .. lengths.Select((_, s) => lengths.Take(s + 1).Sum())];
        _first = [.. lengths.SelectMany((n, s) => Enumerable.Repeat(_start[s], n))];
        _values = TestData.Uniform((heads * 1000) + headDim + Rows, Rows * Width, 1.5f);
        Qkv = rig.Real(Rows, Width, _values, pad);
        Starts = rig.Ints(_start);
        Output = rig.Output(Rows, heads * headDim, pad);
        // What the forward keeps for the backward is never a view of something wider.
        LogSumExp = rig.Output(Rows, heads);
        KeyNorm = Enumerable.Range(0, Rows * kvHeads).Select(i => HeadNorm(i / kvHeads, heads + (i % kvHeads))).DefaultIfEmpty(0).Max();
    }

    public int Heads { get; }

    public int Rows { get; }

    public int Width { get; }

    public float Scale { get; }

    public Twin Qkv { get; }

    public Twin Starts { get; }

    public Twin Output { get; }

    public Twin LogSumExp { get; }

    /// <summary>The largest norm of a key.</summary>
    public double KeyNorm { get; }

    /// <summary>Keys that a row sees.</summary>
    public int Keys(int row) => row - _first[row] + 1;

    public double QueryNorm(int row, int head) => HeadNorm(row, head);

    /// <summary>The largest coordinate and the largest norm of the heads from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    public double[] Largest(int first, int end)
    {
        double coordinate = 0, norm = 0;
        for (int t = 0; t < Rows; t++)
        {
            for (int head = first; head < end; head++)
            {
                norm = Math.Max(norm, HeadNorm(t, head));
                for (int i = 0; i < _headDim; i++)
                {
                    coordinate = Math.Max(coordinate, Math.Abs(_values[(t * Width) + (head * _headDim) + i]));
                }
            }
        }

        return [coordinate, norm];
    }

    /// <summary>The bound of each element of the gradient, for the gradient <paramref name="g"/> of the output.</summary>
    public Func<int, int, double> GradientBound(float[] g, float[] logSumExp)
    {
        double[] values = Largest(Heads + _kvHeads, Heads + (2 * _kvHeads)), keys = Largest(Heads, Heads + _kvHeads), queries = Largest(0, Heads);
        double largest = g.Select(Math.Abs).DefaultIfEmpty(0).Max(), norm = 0, score = queries[1] * keys[1] * Scale;
        for (int i = 0; i < Rows * Heads; i++)
        {
            norm = Math.Max(norm, Math.Sqrt(g.Skip(i * _headDim).Take(_headDim).Sum(x => (double)x * x)));
        }

        // |g . v_j - g . o_i| is at most twice |g| |v|, as o is a mean of values.
        double change = 2 * norm * values[1], probability = Tolerances.Recomputed(_headDim, score, logSumExp.Select(Math.Abs).DefaultIfEmpty(0).Max());
        double[] mass = Mass();
        return (row, column) =>
        {
            int head = column / _headDim;
            if (head < Heads)
            {
                return Tolerances.AttentionGradient(_headDim, Keys(row), probability, Scale * change * keys[0]);
            }

            int kvHead = (head - Heads) % _kvHeads, readers = Heads / _kvHeads * (_start.First(s => s > row) - row);
            double received = mass[(row * _kvHeads) + kvHead];
            return Tolerances.AttentionGradient(_headDim, readers, probability,
                received * (head < Heads + _kvHeads ? Scale * change * queries[0] : largest));
        };
    }

    // The sum of the probabilities with which each key is read.
    private double[] Mass()
    {
        double[][] qkv = [.. Enumerable.Range(0, Rows).Select(t => _values.AsSpan(t * Width, Width).ToArray().Select(x => (double)x).ToArray())];
        var mass = new double[Rows * _kvHeads];
        for (int t = 0; t < Rows; t++)
        {
            for (int head = 0; head < Heads; head++)
            {
                double[] p = ReferenceBackend.Scores(qkv, Heads, _kvHeads, head, _headDim, _first[t], t, Scale);
                double largest = p.Max(), sum = p.Sum(x => Math.Exp(x - largest));
                for (int j = 0; j < p.Length; j++)
                {
                    mass[((_first[t] + j) * _kvHeads) + (head / (Heads / _kvHeads))] += Math.Exp(p[j] - largest) / sum;
                }
            }
        }

        return mass;
    }

    private double HeadNorm(int row, int head)
    {
        double squares = 0;
        for (int i = 0; i < _headDim; i++)
        {
            double x = _values[(row * Width) + (head * _headDim) + i];
            squares += x * x;
        }

        return Math.Sqrt(squares);
    }
}
