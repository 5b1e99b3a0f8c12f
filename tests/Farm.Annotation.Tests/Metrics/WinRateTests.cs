using Farm.Annotation.Metrics;

namespace Farm.Annotation.Tests.Metrics;

public class WinRateTests
{
    [Fact]
    public void Should_count_wins_losses_and_draws_and_leave_out_what_is_no_preference()
    {
        var rate = WinRate.Of([1, 2, 1.5, 0, null, double.NaN, -1, 3, 0.5, 2]);
        Assert.Equal((2, 1, 2, 5), (rate.Wins, rate.WinsBase, rate.Draws, rate.Total));
        Assert.Equal(60, rate.Percent, 12);
        Assert.Equal(60, rate.DiscretePercent, 12);
        Assert.Equal(100 * Math.Sqrt(((0.6 * 0.6) + (2 * 0.4 * 0.4) + (2 * 0.1 * 0.1)) / 4) / Math.Sqrt(5), rate.StandardError, 12);
    }

    [Fact]
    public void Should_round_weighted_preferences_for_the_discrete_rate_and_keep_exact_draws()
    {
        var rate = WinRate.Of([1.4999, 1.5001, 1.5]);
        Assert.Equal(50, rate.DiscretePercent, 12);
        Assert.Equal((1, 1, 1), (rate.Wins, rate.WinsBase, rate.Draws));
        Assert.Equal(50, rate.Percent, 10);
    }

    [Fact]
    public void Should_have_no_standard_error_for_one_pair_and_no_rate_for_none()
    {
        Assert.True(double.IsNaN(WinRate.Of([2]).StandardError));
        Assert.Equal(100, WinRate.Of([2]).Percent);
        Assert.True(double.IsNaN(WinRate.Of([null]).Percent));
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("café", 4)]
    [InlineData("😀", 1)]
    [InlineData("a😀b😀", 4)]
    [InlineData("e\u0301", 2)]
    public void Should_count_code_points(string text, int length) => Assert.Equal(length, CodePoints.Count(text));

    [Fact]
    public void Should_count_unpaired_surrogates_as_one_each() => Assert.Equal(3, CodePoints.Count("\ud83d\ud83d\ude00\ude00"));

    [Fact]
    public void Should_cut_the_mean_length_and_skip_nulls()
    {
        Assert.Equal(1, CodePoints.AverageLength(["ab", "a", null]));
        Assert.Equal(0, CodePoints.AverageLength(["", "a"]));
        Assert.Null(CodePoints.AverageLength([null]));
    }

    [Theory]
    [InlineData(50, "50.0")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(1e16, "1e+16")]
    [InlineData(123456789012345680, "1.2345678901234568e+17")]
    [InlineData(9007199254740991, "9007199254740991.0")]
    [InlineData(-0.5, "-0.5")]
    [InlineData(26.459627329192543, "26.459627329192543")]
    [InlineData(0, "0.0")]
    [InlineData(1e-300, "1e-300")]
    [InlineData(double.NaN, "nan")]
    [InlineData(double.NegativeInfinity, "-inf")]
    public void Should_write_floats_as_Python_does(double value, string text) => Assert.Equal(text, PythonFloat.Format(value));

    [Fact]
    public void Should_write_floats_that_read_back_as_the_same_double()
    {
        var random = new Random(5);
        for (int i = 0; i < 20_000; i++)
        {
            double value = BitConverter.Int64BitsToDouble(random.NextInt64());
            if (double.IsFinite(value))
            {
                Assert.Equal(value, double.Parse(PythonFloat.Format(value), System.Globalization.CultureInfo.InvariantCulture));
            }
        }
    }
}
