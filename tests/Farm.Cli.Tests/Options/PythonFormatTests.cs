using Farm.Cli.Options;

namespace Farm.Cli.Tests.Options;

public sealed class PythonFormatTests
{
    [Theory]
    [InlineData(1.0, "1.0")]
    [InlineData(0.0, "0.0")]
    [InlineData(0.7, "0.7")]
    [InlineData(0.1 + 0.2, "0.30000000000000004")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(100.0, "100.0")]
    public void Should_print_as_Python_does(double value, string expected) => Assert.Equal(expected, PythonFormat.Float(value));
}
