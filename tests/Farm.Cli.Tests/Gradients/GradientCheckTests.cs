using System.Text.Json;
using Farm.Cli.Gradients;
using Farm.Cli.Tests.Support;
using Farm.Cpu;

namespace Farm.Cli.Tests.Gradients;

public sealed class GradientCheckTests
{
    private static readonly string[] s_operations =
    [
        "attention", "bias", "dpo-loss ipo", "dpo-loss sigmoid", "embedding", "linear", "linear-cross-entropy", "linear-log-prob", "linear-policy-loss", "llama, reward", "llama, sft", "pairwise-loss", "quark-loss",
        "rms-norm", "rope", "scale", "swiglu", "value-loss",
    ];

    [Theory]
    [InlineData("cpu", 12)]
    [InlineData("cuda-sim", 3)]
    public void Should_pass_every_gradient_of_a_device_through_the_command_line(string device, int elements)
    {
        var result = FarmProcess.Run("doctor", "--gradients", "--device", device, "--threads", "2", "--json");
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        var report = JsonDocument.Parse(result.Output).RootElement;
        Assert.StartsWith(device == "cpu" ? "cpu" : "cuda", report.GetProperty("device").GetString(), StringComparison.Ordinal);
        Assert.Equal(device == "cuda-sim", report.GetProperty("simulator").GetBoolean());
        Assert.True(report.GetProperty("passed").GetBoolean());
        var checks = report.GetProperty("gradients").EnumerateArray().ToArray();
        Assert.Equal(s_operations, checks.Select(c => c.GetProperty("op").GetString()!).Distinct().Order(StringComparer.Ordinal));
        Assert.All(checks, c => Assert.InRange(c.GetProperty("elements").GetInt32(), 1, elements));
        Assert.Contains(checks, c => c.GetProperty("operand").GetString() == "model.layers.1.mlp.down_proj.weight");

        // Two computations in float32 of unlike order never agree to the bit: errors that are all zero would mean that nothing was compared.
        Assert.Contains(checks, c => c.GetProperty("max_relative_error").GetDouble() > 0);
    }

    [Fact]
    public void Should_print_a_table_and_a_count()
    {
        var result = FarmProcess.Run("doctor", "--gradients", "--threads", "2");
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"rms-norm\W+24\W+\d\.\dE-\d+\W+1\.0E-003\W+pass", result.Output);
        Assert.Matches(@"(?m)^18 of 18 gradients on cpu are the finite differences", result.Output);
    }

    [Theory]
    [InlineData(1f, true)]
    [InlineData(1.01f, false)]
    [InlineData(0f, false)]
    [InlineData(float.NaN, false)]
    public void Should_tell_a_gradient_that_is_off_by_a_hundredth_or_missing(float factor, bool passes)
    {
        using var backend = new CpuBackend(1);
        var wrong = new GradientCase("wrong", 1e-3, o =>
        {
            var probe = OperationGradients.All().First(c => c.Op == "swiglu").Prepare(o);
            return probe with
            {
                Gradients = () => [.. probe.Gradients().Select(g =>
                {
                    o.Backend.Scale(g, factor, g);
                    return g;
                })],
            };
        });
        var check = Assert.Single(GradientCheck.Run(wrong, backend, 12));
        Assert.True(passes == check.Passed, $"{check}");
    }

    [Fact]
    public void Should_leave_the_operands_as_they_were()
    {
        using var backend = new CpuBackend(1);
        float[]? before = null, after = null;
        var watched = new GradientCase("watched", 1e-3, o =>
        {
            var probe = OperationGradients.All().First(c => c.Op == "rms-norm").Prepare(o);
            before = o.Read(probe.Operands[0].Value);
            return probe with
            {
                Value = () =>
                {
                    after = o.Read(probe.Operands[0].Value);
                    return probe.Value();
                },
            };
        });
        Assert.All(GradientCheck.Run(watched, backend, 2), c => Assert.True(c.Passed, $"{c}"));

        // The last value asked for moved the second operand.
        Assert.Equal(before, after);
    }
}
