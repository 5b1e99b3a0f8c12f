using System.Text.Json;
using Farm.Models.Checkpoints;

namespace Farm.Cli.Tests.Support;

/// <summary>The same command on the CPU and on the simulated GPU, and what to compare of two runs.</summary>
internal static class Devices
{
    /// <summary>Both, the CPU first.</summary>
    public static readonly string[] Both = ["cpu", "cuda-sim"];

    /// <summary>Runs a command on a device, which must end well.</summary>
    public static FarmResult Run(string device, params string[] arguments)
    {
        using var process = FarmProcess.StartByShell("unset OPENAI_API_KEY; FARM_PTXSIM_QUIET=1 exec \"$@\"", [.. arguments, "--device", device]);
        var result = process.Finish();
        Assert.Equal((0, string.Empty), (result.ExitCode, result.ExitCode == 0 ? string.Empty : result.Error));
        return result;
    }

    /// <summary>All weights of a model folder, by the order of their names.</summary>
    public static float[] Weights(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return [.. checkpoint.Tensors.OrderBy(t => t.Key, StringComparer.Ordinal).SelectMany(t =>
        {
            var values = new float[t.Value.Rows * t.Value.Columns];
            t.Value.ReadFloats(0, t.Value.Rows, values);
            return values;
        })];
    }

    /// <summary>Distance between the weights of two runs over the distance that the first one's moved from those of a run with a learning rate of 0.</summary>
    public static double Apart(string start, string want, string got)
    {
        float[] from = Weights(start), wanted = Weights(want), gotten = Weights(got);
        double moved = wanted.Zip(from, (a, b) => Math.Pow((double)a - b, 2)).Sum(), apart = wanted.Zip(gotten, (a, b) => Math.Pow((double)a - b, 2)).Sum();
        Assert.True(moved > 0, "nothing was learned");
        return Math.Sqrt(apart / moved);
    }

    /// <summary>Two values of JSON are equal: numbers within a tolerance, relative where they are over 1; all else exactly. Fields of the given names are left out.</summary>
    public static void Same(JsonElement want, JsonElement got, double tolerance, params string[] except) => Same(want, got, tolerance, "$", except);

    private static void Same(JsonElement want, JsonElement got, double tolerance, string path, string[] except)
    {
        Assert.True(want.ValueKind == got.ValueKind, $"{path}: {want} and {got}");
        switch (want.ValueKind)
        {
            case JsonValueKind.Object:
                Assert.Equal(Names(want), Names(got));
                foreach (string name in Names(want))
                {
                    Same(want.GetProperty(name), got.GetProperty(name), tolerance, $"{path}.{name}", except);
                }

                break;
            case JsonValueKind.Array:
                Assert.True(want.GetArrayLength() == got.GetArrayLength(), $"{path}: {want.GetArrayLength()} and {got.GetArrayLength()} elements");
                for (int i = 0; i < want.GetArrayLength(); i++)
                {
                    Same(want[i], got[i], tolerance, $"{path}[{i}]", except);
                }

                break;
            case JsonValueKind.Number:
                double a = want.GetDouble(), b = got.GetDouble();
                Assert.True(Math.Abs(a - b) <= tolerance * Math.Max(1, Math.Abs(a)), $"{path}: {a} and {b}");
                break;
            default:
                Assert.True(want.GetRawText() == got.GetRawText(), $"{path}: {want.GetRawText()} and {got.GetRawText()}");
                break;
        }

        string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(p => p.Name).Except(except)];
    }
}
