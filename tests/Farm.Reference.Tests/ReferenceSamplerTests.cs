using Farm.Core;

namespace Farm.Reference.Tests;

public class ReferenceSamplerTests
{
    // Logits ln 8, ln 4, ln 2, ln 1, ln 1: probabilities 8, 4, 2, 1, 1 sixteenths.
    private static readonly float[] Powers = [MathF.Log(8), MathF.Log(4), MathF.Log(2), 0f, 0f];

    [Fact]
    public void Softmax_alone() => Expect(new(), 8 / 16.0, 4 / 16.0, 2 / 16.0, 1 / 16.0, 1 / 16.0);

    [Fact]
    public void Temperature_one_half_squares_the_weights() => Expect(new() { Temperature = 0.5f }, 64 / 86.0, 16 / 86.0, 4 / 86.0,
        1 / 86.0, 1 / 86.0);

    [Fact]
    public void Top_k_keeps_the_best_and_the_lower_id_of_a_tie() => Expect(new() { TopK = 4 }, 8 / 15.0, 4 / 15.0, 2 / 15.0, 1 / 15.0, 0);

    [Fact]
    public void Top_k_beyond_the_vocabulary_keeps_all() => Expect(new() { TopK = 99 }, 8 / 16.0, 4 / 16.0, 2 / 16.0, 1 / 16.0, 1 / 16.0);

    [Fact]
    public void Top_p_keeps_the_token_that_reaches_the_mass() => Expect(new() { TopP = 0.76f }, 8 / 14.0, 4 / 14.0, 2 / 14.0, 0, 0);

    [Fact]
    public void Top_p_keeps_at_least_one() => Expect(new() { TopP = 1e-9f }, 1, 0, 0, 0, 0);

    [Fact]
    public void Top_p_sees_the_mass_left_by_top_k() =>

        // Of 8, 4, 2 the first has 57 % and the first two 86 %: 0.6 needs two; of all five 50 % and 75 % would also be two, 0.8 three.
        Expect(new() { TopK = 3, TopP = 0.8f }, 8 / 12.0, 4 / 12.0, 0, 0, 0);

    [Fact]
    public void Min_p_is_relative_to_the_best() => Expect(new() { MinP = 0.2f }, 8 / 14.0, 4 / 14.0, 2 / 14.0, 0, 0);

    [Fact]
    public void Penalty_divides_positive_and_multiplies_negative_logits()
    {
        double[] got = ReferenceSampler.Probabilities([2f, -2f, 1f], new() { RepetitionPenalty = 2f }, [0b011]);
        double total = Math.Exp(1) + Math.Exp(-4) + Math.Exp(1);
        Assert.Equal([Math.Exp(1) / total, Math.Exp(-4) / total, Math.Exp(1) / total], got.Select(p => p), (a, b) =>
            Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void Penalty_reads_the_thirty_second_bit_and_the_next_word()
    {
        var logits = new float[40];
        logits[31] = logits[39] = logits[5] = 3f;
        double[] got = ReferenceSampler.Probabilities(logits, new() { Temperature = 0, RepetitionPenalty = 2f },
            [int.MinValue | (1 << 5), 0]);
        Assert.Equal(1, got[39]);
    }

    [Fact]
    public void Greedy_takes_the_lowest_id_of_a_tie() => Assert.Equal([0, 1, 0, 0], ReferenceSampler.Probabilities([1f, 2f, 2f, -1f],
        new() { Temperature = 0 }));

    [Theory]
    [InlineData(0.0, 1)]
    [InlineData(0.2499, 1)]
    [InlineData(0.25, 2)]
    [InlineData(0.7499, 2)]
    [InlineData(0.75, 4)]
    [InlineData(0.9999999999999999, 4)]
    public void Draw_is_the_inverse_of_the_cumulative_distribution(double u, int token) =>
        Assert.Equal(token, ReferenceSampler.Draw([0, 0.25, 0.5, 0, 0.25, 0], u));

    [Fact]
    public void Draw_of_a_sum_below_one_ends_at_the_last_possible_token() =>
        Assert.Equal(1, ReferenceSampler.Draw([0.5, 0.4999999, 0], 0.99999999));

    [Fact]
    public void Sample_inverts_the_distribution_at_the_uniform_of_philox()
    {
        using var hand = new HandBackend();
        Tensor tokens = hand.Ints(1, 0, 0, 0), logprobs = hand.Output(1, 3);
        float[] logits = [.. Powers, .. Powers, .. Powers];
        hand.Ops.Sample(hand.Real(3, logits), new(), 42, hand.Ints(3, 7, 1, 0, 7, 1, 1, -1, 2, 3), tokens, logprobs);
        double[] u = [Philox.Uniform(42, 7, 1, 0), Philox.Uniform(42, 7, 1, 1), Philox.Uniform(42, uint.MaxValue, 2, 3)];
        double[] edges = [0.5, 0.75, 0.875, 0.9375, 1];
        Assert.Equal(u.Select(x => edges.Count(edge => edge <= x)), hand.ReadInts(tokens));
        Assert.All(hand.ReadInts(tokens).Zip(hand.Read(logprobs)), pair =>
            Assert.Equal(Math.Log(new[] { 8, 4, 2, 1, 1 }[pair.First] / 16.0), pair.Second, 1e-6));
    }

    private static void Expect(SamplingParameters parameters, params double[] probabilities)
    {
        double[] got = ReferenceSampler.Probabilities(Powers, parameters);
        Assert.Equal(probabilities.Length, got.Length);
        Assert.All(got.Zip(probabilities), pair => Assert.Equal(pair.Second, pair.First, 1e-6));
    }
}
