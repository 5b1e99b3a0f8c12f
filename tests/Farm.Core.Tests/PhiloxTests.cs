namespace Farm.Core.Tests;

public class PhiloxTests
{
    // The known-answer vectors of the paper's reference implementation for philox4x32-10.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0ul, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0ul, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0x299f31d0a4093822ul, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Block_matches_the_known_answers(uint c0, uint c1, uint c2, uint c3, ulong key, uint x0, uint x1, uint x2, uint x3) =>
        Assert.Equal((x0, x1, x2, x3), Philox.Block(key, c0, c1, c2, c3));

    [Fact]
    public void Uniform_stays_in_the_half_open_interval_and_depends_on_every_key()
    {
        for (uint i = 0; i < 1000; i++)
        {
            Assert.InRange(Philox.Uniform(7, i, 1, 2), 0.0, 1.0 - (1.0 / (1UL << 53)));
        }

        double u = Philox.Uniform(1, 2, 3, 4);
        Assert.NotEqual(u, Philox.Uniform(2, 2, 3, 4));
        Assert.NotEqual(u, Philox.Uniform(1, 3, 3, 4));
        Assert.NotEqual(u, Philox.Uniform(1, 2, 4, 4));
        Assert.NotEqual(u, Philox.Uniform(1, 2, 3, 5));
        Assert.NotEqual(u, Philox.Uniform(1, 2, 3, 4, 1));
    }
}
