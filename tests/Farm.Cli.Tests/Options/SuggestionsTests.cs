namespace Farm.Cli.Tests.Options;

public sealed class SuggestionsTests
{
    private static readonly string[] Names = ["--temperature", "--top-p", "--top-k", "--seed", "best-of-n"];

    [Theory]
    [InlineData("--temprature", "--temperature")]
    [InlineData("--sed", "--seed")]
    [InlineData("best-of", "best-of-n")]
    public void Should_name_what_was_meant(string typed, string expected) => Assert.Equal([expected], Suggestions.Near(typed, Names));

    [Fact]
    public void Should_name_all_that_are_equally_near() => Assert.Equal(["--top-p", "--top-k"], Suggestions.Near("--top-q", Names));

    [Theory]
    [InlineData("--xyzzy")]
    [InlineData("-z")]
    public void Should_be_silent_where_nothing_is_near(string typed) => Assert.Empty(Suggestions.Near(typed, Names));
}
