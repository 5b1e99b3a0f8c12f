using System.Diagnostics;
using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>Times a case on a machine whose times mean something.</summary>
internal static class KernelTiming
{
    private static readonly TimeSpan Enough = TimeSpan.FromMilliseconds(200);

    /// <summary>Median seconds of one run over five batches, after one run that warms up; the caches keep what fits from run to run.</summary>
    public static double Seconds(KernelCase kernel, ITrainingBackend backend)
    {
        using var operands = new CaseOperands(backend);
        var run = kernel.Prepare(operands).Run;
        run();
        backend.Synchronize();
        long start = Stopwatch.GetTimestamp();
        run();
        backend.Synchronize();
        double once = Math.Max(Stopwatch.GetElapsedTime(start).TotalSeconds, 1e-7);
        int batch = (int)Math.Clamp(Enough.TotalSeconds / 5 / once, 1, 1000);
        double[] seconds = [.. Enumerable.Range(0, 5).Select(_ =>
        {
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < batch; i++)
            {
                run();
            }

            backend.Synchronize();
            return Stopwatch.GetElapsedTime(begin).TotalSeconds / batch;
        }).Order()];
        return seconds[2];
    }
}
