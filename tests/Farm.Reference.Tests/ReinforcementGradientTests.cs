using Farm.Conformance;
using Farm.Core;

namespace Farm.Reference.Tests;

/// <summary>The slopes of the losses of learning from feedback against finite differences of the losses, in float64, and estimators against their definitions.</summary>
public sealed class ReinforcementGradientTests
{
    private const double Step = 1e-4;

    [Theory]
    [InlineData(0.5, 1.0)]
    [InlineData(-0.5, 1.0)]
    [InlineData(0.1, -2.0)]
    [InlineData(0.5, -1.0)]
    [InlineData(-0.5, -1.0)]
    [InlineData(0, 0.7)]
    public void Policy_loss(double change, double advantage)
    {
        var (_, clipped, slope) = ReferenceBackend.PolicyTerm(-2 + change, -2, advantage, 0.2);
        AssertSlope(x => ReferenceBackend.PolicyTerm(x, -2, advantage, 0.2).Loss, -2 + change, slope);
        // Clipped where moving on would be rewarded no more: a gain above the interval, or a loss below it.
        Assert.Equal((advantage > 0 && change > 0.2) || (advantage < 0 && change < -0.2) ? 1 : 0, clipped);
    }

    [Theory]
    [InlineData(0.5, 0.1, 1)]
    [InlineData(0.5, 0.1, -1)]
    [InlineData(0.1, 0.2, 1)]
    [InlineData(-1, 0.3, -0.5)]
    public void Value_loss(double value, double old, double target) =>
        AssertSlope(x => ReferenceBackend.ValueTerm(x, old, target, 0.2).Loss, value, ReferenceBackend.ValueTerm(value, old, target, 0.2).Slope);

    [Fact]
    public void A_tie_of_the_value_losses_passes_half_of_the_gradient() =>
        // Clamped to -0.2 + 0.2 = 0, as far from the target 0.5 as the value 1 itself.
        Assert.Equal(0.25, ReferenceBackend.ValueTerm(1, -0.25, 0.5, 0.25).Slope);

    [Theory]
    [InlineData(DpoKind.Sigmoid, 0.1, 0)]
    [InlineData(DpoKind.Sigmoid, 0.5, 0.1)]
    [InlineData(DpoKind.Ipo, 0.3, 0)]
    public void Preference_loss(DpoKind kind, double beta, double smoothing)
    {
        foreach (double h in new[] { -30, -2, 0, 0.5, 25 })
        {
            AssertSlope(x => ReferenceBackend.Dpo(x, kind, beta, smoothing).Loss, h, ReferenceBackend.Dpo(h, kind, beta, smoothing).Slope);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Pairwise_loss(int choice)
    {
        foreach (double logit in new[] { -20, -1, 0, 3.5 })
        {
            AssertSlope(x => ReferenceBackend.Pairwise(x, choice).Loss, logit, ReferenceBackend.Pairwise(logit, choice).Slope);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public void Quark_loss(int own)
    {
        double[] z = Random(1, own + 3), y = Random(2, own + 3), gradient = new double[own + 3];
        foreach (int id in new[] { 0, own + 2 })
        {
            var settings = new QuarkSettings(0.7f, own, 0.5f, 0.2f, 2);
            ReferenceBackend.Quark(z, y, id, settings, gradient);
            for (int i = 0; i < z.Length; i++)
            {
                AssertSlope(x => 2 * ReferenceBackend.Quark([.. z.Select((v, j) => i == j ? x : v)], y, id, settings, new double[z.Length]).Loss, z[i], gradient[i]);
            }
        }
    }

    [Fact]
    public void Estimators_average_to_the_divergence_where_they_are_unbiased()
    {
        double[] p = [0.1, 0.2, 0.3, 0.4], q = [0.25, 0.25, 0.4, 0.1];
        double Mean(KlEstimator estimator) => p.Select((x, i) => x * ReferenceBackend.Estimate(Math.Log(x / q[i]), estimator)).Sum();
        double divergence = p.Select((x, i) => x * Math.Log(x / q[i])).Sum();
        Assert.Equal(divergence, Mean(KlEstimator.K1), 1e-12);
        Assert.Equal(divergence, Mean(KlEstimator.K3), 1e-12);
        Assert.True(Mean(KlEstimator.Clamped) > divergence + 0.1);
    }

    private static void AssertSlope(Func<double, double> loss, double at, double slope)
    {
        double difference = ((8 * (loss(at + Step) - loss(at - Step))) - (loss(at + (2 * Step)) - loss(at - (2 * Step)))) / (12 * Step);
        Assert.True(Math.Abs(difference - slope) <= 1e-8 * Math.Max(1, Math.Abs(slope)), $"at {at}: slope {slope:R}, difference {difference:R}");
    }

    private static double[] Random(int seed, int count) => Array.ConvertAll(TestData.Uniform(seed, count, 2), x => (double)x);
}
