using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>The reference against numbers worked out on paper.</summary>
public sealed class HandComputedTests : IDisposable
{
    private readonly HandBackend _hand = new();

    public void Dispose() => _hand.Dispose();

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // 1 + 2^-8, halfway: to the even neighbour below
    [InlineData(1.01171875f, 0x3F82)] // 1 + 3 * 2^-8, halfway: to the even neighbour above
    [InlineData(1.00390637f, 0x3F81)] // just above halfway
    [InlineData(-2.5f, 0xC020)]
    [InlineData(float.MaxValue, 0x7F80)]
    [InlineData(float.NegativeInfinity, 0xFF80)]
    public void Bfloat16_rounds_to_nearest_even(float value, int bits) => Assert.Equal(bits, BFloat16.Bits(value));

    [Fact]
    public void Bfloat16_keeps_nan() => Assert.True(float.IsNaN(BFloat16.Round(BitConverter.UInt32BitsToSingle(0x7F800001))));

    [Fact]
    public void Int8_groups_have_their_own_scale()
    {
        float[] row = [.. Enumerable.Repeat(0f, 63), 254f, 12.7f, -6.35f];
        var values = new sbyte[66];
        var scales = new float[2];
        Int8Groups.Quantise(row, values, scales);
        Assert.Equal([2f, 12.7f / 127], scales);
        Assert.Equal(127, values[63]);
        Assert.Equal(127, values[64]);
        Assert.InRange(values[65], -64, -63);
        Assert.Equal(0, values[0]);
    }

    [Fact]
    public void RmsNorm_of_three_and_four()
    {
        // mean of squares (9 + 16) / 2 = 12.5, plus epsilon 3.5 is 16: divide by 4.
        Tensor output = _hand.Output(1, 2);
        _hand.Ops.RmsNorm(_hand.Real(1, 3, 4), _hand.Real(1, 2, -1), 3.5f, output);
        Assert.Equal([1.5f, -1f], _hand.Read(output));
    }

    [Fact]
    public void Linear_adds_bias_and_what_was_there()
    {
        using var weight = _hand.Ops.PackLinear(
            [new ArraySource("a", 1, 2, DType.F32, [1, 2]), new ArraySource("b", 2, 2, DType.BF16, [3, 4, 5, 6])], DType.F32);
        Tensor input = _hand.Real(2, 1, 10, -1, 0), output = _hand.Real(2, 100, 200, 300, 400, 500, 600);
        _hand.Ops.Linear(input, weight, output, _hand.Real(1, 0.5f, 0.25f, 0), accumulate: true);
        Assert.Equal([121.5f, 243.25f, 365f, 399.5f, 497.25f, 595f], _hand.Read(output));
        _hand.Ops.Linear(input, weight, output);
        Assert.Equal([21f, 43f, 65f, -1f, -3f, -5f], _hand.Read(output));
    }

    [Fact]
    public void Gate_and_up_give_swiglu()
    {
        using var weight = _hand.Ops.PackLinear(
            [new ArraySource("gate", 1, 1, DType.F32, [MathF.Log(3)]), new ArraySource("up", 1, 1, DType.F32, [8])], DType.F32,
                LinearLayout.GateUp);
        Tensor output = _hand.Output(1, 1);
        _hand.Ops.Linear(_hand.Real(1, 1), weight, output);

        // sigmoid(ln 3) = 3 / 4, so silu(ln 3) * 8 = 6 ln 3.
        Assert.Equal(6 * Math.Log(3), _hand.Read(output)[0], 1e-6);
        Assert.Equal(1, weight.OutFeatures);
    }

    [Fact]
    public void Integer_linear_sums_levels_and_scales()
    {
        // Activations 127, 64 of scale 1; weights 1.27, -0.5 of scale 0.01 hold the levels 127, -50.
        using var weight = _hand.Ops.PackLinear([new ArraySource("w", 1, 2, DType.F32, [1.27f, -0.5f])], DType.I8);
        Tensor output = _hand.Output(1, 1);
        _hand.Ops.Linear(_hand.Real(1, 127, 64), weight, output);
        Assert.Equal(((127 * 127) - (64 * 50)) * 0.01, _hand.Read(output)[0], 1e-4);
    }

    [Fact]
    public void Rope_turns_a_pair_by_the_angle_of_its_position()
    {
        float cos = MathF.Cos(MathF.PI / 6), sin = MathF.Sin(MathF.PI / 6);
        Tensor qkv = _hand.Real(1, 2, 10, 0, 1, 1, 0, 5, 6, 7, 8, 9, 10);
        Tensor cosine = _hand.Real(2, 9, 9, cos, 0), sine = _hand.Real(2, 9, 9, sin, 1);
        using var pool = _hand.Ops.CreateKvPool(new KvShape(1, 1, 4, DType.F32), 1);
        _hand.Ops.RopeAppendKv(qkv, 1, 1, _hand.Ints(1, 1), cosine, sine, pool, 0, _hand.Ints(1, 77));

        // Coordinates 0 and 2 turn by 30 degrees, coordinates 1 and 3 by 90; the value stays.
        float[] got = _hand.Read(qkv);
        double[] want = [2 * cos, -1, 2 * sin, 10, cos - (5 * sin), -6, (5 * cos) + sin, 0, 7, 8, 9, 10];
        Assert.All(got.Zip(want), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
        var reference = (ReferenceKvPool)pool;
        Assert.Equal(got[4..8], reference.Key(0, 77, 0).ToArray());
        Assert.Equal([7f, 8f, 9f, 10f], reference.Value(0, 77, 0).ToArray());
        Assert.Equal(new float[4], reference.Value(0, 76, 0).ToArray());
    }

    [Fact]
    public void Attention_weighs_prefix_and_visible_suffix()
    {
        // Keys ln 1, ln 2, ln 3 and a query of 1 give the weights 1 : 2 : 3; the first query row does not see the newest token.
        using var pool = _hand.Ops.CreateKvPool(new KvShape(1, 1, 2, DType.F32), 2);
        Tensor one = _hand.Real(1, 1), zero = _hand.Real(1, 0);
        Tensor qkv = _hand.Real(3, 0, 0, 0, 0, 6, 0, 0, 0, MathF.Log(2), 0, 12, 0, 0, 0, MathF.Log(3), 0, 18, 6);
        _hand.Ops.RopeAppendKv(qkv, 1, 1, _hand.Ints(1, 0, 0, 0), one, zero, pool, 0, _hand.Ints(1, 128, 0, 1));
        var plan = new AttentionPlan(1, 1, 2);
        plan.Clear();
        plan.BeginGroup(1, [1]);
        plan.AddSequence(2, 2, [0]);
        Tensor output = _hand.Output(2, 2);
        _hand.Ops.Attention(_hand.Real(2, 2, 0, 2, 0), 1, pool, 0, plan, 0.5f, output);
        double[] want = [(6 + (2 * 12)) / 3.0, 0, (6 + (2 * 12) + (3 * 18)) / 6.0, 3];
        Assert.All(_hand.Read(output).Zip(want), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
    }

    [Fact]
    public void Log_probabilities_and_entropy_of_a_known_distribution()
    {
        // Weights 1 : 1 : 2 at temperature 1; squared, 1 : 1 : 4, at temperature one half.
        float[] logits = [0, 0, MathF.Log(2), 0, 0, MathF.Log(2)];
        Tensor logprobs = _hand.Output(1, 2), entropy = _hand.Output(1, 2);
        _hand.Ops.LogProbGather(_hand.Real(2, logits), _hand.Ints(1, 2, 0), 1, logprobs, entropy);
        Assert.Equal(Math.Log(0.5), _hand.Read(logprobs)[0], 1e-6);
        Assert.Equal(Math.Log(0.25), _hand.Read(logprobs)[1], 1e-6);
        Assert.Equal(1.5 * Math.Log(2), _hand.Read(entropy)[0], 1e-6);
        _hand.Ops.LogProbGather(_hand.Real(2, logits), _hand.Ints(1, 2, 0), 0.5f, logprobs);
        Assert.Equal(Math.Log(2 / 3.0), _hand.Read(logprobs)[0], 1e-6);
        Assert.Equal(Math.Log(1 / 6.0), _hand.Read(logprobs)[1], 1e-6);
    }
}
