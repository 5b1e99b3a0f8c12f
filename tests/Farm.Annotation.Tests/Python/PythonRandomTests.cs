using Farm.Annotation.Python;

namespace Farm.Annotation.Tests.Python;

public class PythonRandomTests
{
    [Theory]
    [InlineData("is_switched_outputs2+20", 0.28642635449077236)]
    [InlineData("is_switched_outputs1+10", 0.11617053131616839)]
    [InlineData("is_switched_outputs2+30", 0.8105304193734497)]
    [InlineData("is_switched_outputscafé 😀?0", 0.17270696120174678)]
    [InlineData("is_switched_outputsHow did US states get their names?0", 0.8938551417424159)]
    [InlineData("annotatorWhat is 1+1?0", 0.01896083682882721)]
    [InlineData("noisy_preference2+20", 0.8514133654815461)]
    public void Should_draw_what_Python_draws_for_a_text(string seed, double first) => Assert.Equal(first, new PythonRandom(seed).Next());

    [Fact]
    public void Should_draw_what_Python_draws_for_a_number()
    {
        Assert.Equal(0.8444218515250481, new PythonRandom(0).Next());
        // python3 -c "import random; r = random.Random(2**40+5); print(r.random(), r.random())"
        var large = new PythonRandom((1L << 40) + 5);
        Assert.Equal(0.5043802970418443, large.Next());
        Assert.Equal(0.2686044399723282, large.Next());
        Assert.Equal(new PythonRandom(7).Next(), new PythonRandom(-7).Next());
    }

    [Theory]
    [InlineData("annotator2+20", 13, 6)]
    [InlineData("annotatorWhat is 1+1?0", 13, 0)]
    [InlineData("is_switch_output_1_output_2104123", 2, 1)]
    [InlineData("is_switch_output_1_output_257123", 2, 0)]
    public void Should_choose_what_Python_chooses(string seed, int count, int index) => Assert.Equal(index, new PythonRandom(seed).Choice(count));

    [Theory]
    [InlineData("noisy_preference2+20", 2)]
    [InlineData("noisy_preference1+10", 1)]
    [InlineData("noisy_preference2+30", 0)]
    public void Should_choose_by_weight_as_Python_does(string seed, int index) => Assert.Equal(index, new PythonRandom(seed).Choice([0.5, 0.25, 0.25]));

    [Fact]
    public void Should_shuffle_as_Python_does()
    {
        // python3 -c "import random; l = list(range(10)); random.Random(3).shuffle(l); print(l)"
        var list = Enumerable.Range(0, 10).ToList();
        new PythonRandom(3).Shuffle(list);
        Assert.Equal([1, 5, 6, 0, 9, 4, 7, 2, 8, 3], list);
    }

    [Theory]
    [InlineData(0, 2, new[] { 1, 0 })]
    [InlineData(0, 4, new[] { 2, 3, 1, 0 })]
    [InlineData(0, 10, new[] { 2, 8, 4, 9, 1, 6, 7, 3, 0, 5 })]
    [InlineData(42, 10, new[] { 8, 1, 5, 0, 7, 2, 9, 4, 3, 6 })]
    [InlineData(123, 4, new[] { 3, 0, 1, 2 })]
    [InlineData(0, 1, new[] { 0 })]
    public void Should_permute_as_numpy_does(int seed, int count, int[] order) => Assert.Equal(order, NumpyRandom.Permutation((uint)seed, count));

    [Fact]
    public void Should_permute_long_lists_as_numpy_does() =>
        Assert.Equal([40, 24, 86, 51, 8, 108, 127, 96, 73, 7, 60, 10], NumpyRandom.Permutation(0, 128)[..12]);

    [Theory]
    [InlineData(1, new[] { 0 })]
    [InlineData(2, new[] { 1, 0 })]
    [InlineData(3, new[] { 1, 2, 0 })]
    [InlineData(4, new[] { 2, 0, 3, 1 })]
    [InlineData(5, new[] { 2, 0, 1, 4, 3 })]
    [InlineData(8, new[] { 5, 2, 3, 6, 1, 4, 7, 0 })]
    [InlineData(16, new[] { 10, 14, 5, 1, 9, 2, 3, 11, 13, 7, 8, 4, 0, 6, 15, 12 })]
    public void Should_derange_as_alpaca_eval_does(int count, int[] order) => Assert.Equal(order, Derangement.Of(count, 0));
}
