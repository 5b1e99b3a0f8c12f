using Farm.Models.Configuration;
using Farm.Models.Llama;

namespace Farm.Inference.Tests;

public class RopeTests
{
    // Llama 3.1 8B: head 128, theta 500000, factor 8, low 1, high 4, original 8192.
    private static readonly ModelConfig Llama31 = TestModels.Config with
    {
        HeadDim = 128,
        RopeTheta = 500000,
        RopeScaling = new RopeScaling(RopeScalingKind.Llama3, 8, 1, 4, 8192),
    };

    [Fact]
    public void Unscaled_frequencies_fall_from_one_to_almost_one_over_theta()
    {
        var frequencies = Rope.Frequencies(TestModels.Config with { HeadDim = 4, RopeTheta = 10000 });
        Assert.Equal([1, 0.01], frequencies.Select(f => Math.Round(f, 12)));
    }

    [Fact]
    public void Linear_scaling_divides_every_frequency()
    {
        var plain = Rope.Frequencies(TestModels.Config);
        var scaled = Rope.Frequencies(TestModels.Config with { RopeScaling = new RopeScaling(RopeScalingKind.Linear, 4) });
        Assert.Equal(plain.Select(f => f / 4), scaled);
    }

    [Fact]
    public void Llama3_scaling_keeps_short_wavelengths_divides_long_ones_and_blends_between()
    {
        var plain = Rope.Frequencies(Llama31 with { RopeScaling = RopeScaling.None });
        var scaled = Rope.Frequencies(Llama31);
        for (int i = 0; i < plain.Length; i++)
        {
            double wavelength = 2 * Math.PI / plain[i];
            if (wavelength < 2048)
            {
                Assert.Equal(plain[i], scaled[i]);
            }
            else if (wavelength > 8192)
            {
                Assert.Equal(plain[i] / 8, scaled[i]);
            }
            else
            {
                Assert.InRange(scaled[i], plain[i] / 8, plain[i]);
            }
        }

        Assert.Contains(plain, f => 2 * Math.PI / f is > 2048 and < 8192);
    }

    [Fact]
    public void Llama3_blend_is_linear_in_original_length_over_wavelength()
    {
        // Pair 32 of a head of 128 at theta 500000: frequency 500000^-0.5 = 0.00141421, wavelength 4442.88, 8192 / 4442.88 = 1.843847, so the
        // weight of the kept frequency is (1.843847 - 1) / 3 = 0.281282.
        double plain = 1 / Math.Sqrt(500000);
        Assert.Equal(plain * (0.281282 + ((1 - 0.281282) / 8)), Rope.Frequencies(Llama31)[32], 1e-8);
    }

    [Fact]
    public void A_row_holds_cosine_and_sine_of_position_times_frequency()
    {
        float[] cosine = new float[2], sine = new float[2];
        Rope.Row([1, 0.01], 7, cosine, sine);
        Assert.Equal([(float)Math.Cos(7), (float)Math.Cos(0.07)], cosine);
        Assert.Equal([(float)Math.Sin(7), (float)Math.Sin(0.07)], sine);
    }
}
