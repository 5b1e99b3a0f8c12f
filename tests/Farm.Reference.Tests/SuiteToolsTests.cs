using Farm.Conformance;

namespace Farm.Reference.Tests;

public class SuiteToolsTests
{
    [Fact]
    public void Pairwise_covers_every_pair_with_few_rows()
    {
        int[] levels = [5, 4, 3, 2, 2];
        var rows = Pairwise.Cover(levels);
        for (int f = 0; f < levels.Length; f++)
        {
            for (int g = f + 1; g < levels.Length; g++)
            {
                Assert.Equal(levels[f] * levels[g], rows.Select(r => (r[f], r[g])).Distinct().Count());
            }
        }

        Assert.InRange(rows.Count, 20, 30);
    }

    [Fact]
    public void Chi_square_accepts_the_right_distribution_and_refuses_a_wrong_one()
    {
        Assert.InRange(ChiSquare.Deviation([2490, 5030, 2480], [0.25, 0.5, 0.25]), -4, 2);
        Assert.True(ChiSquare.Deviation([2490, 5030, 2480], [0.27, 0.48, 0.25]) > 4);
        Assert.Equal(double.PositiveInfinity, ChiSquare.Deviation([5000, 5000, 1], [0.5, 0.5, 0]));
    }

    [Fact]
    public void Normal_data_has_mean_zero_and_variance_one()
    {
        float[] values = TestData.Normal(1, 20_000);
        Assert.InRange(values.Average(), -0.03, 0.03);
        Assert.InRange(values.Average(x => x * x), 0.95, 1.05);
    }
}
