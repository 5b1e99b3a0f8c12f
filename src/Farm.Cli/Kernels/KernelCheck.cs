using Farm.Core;

namespace Farm.Cli.Kernels;

/// <summary>How a case compared with the CPU.</summary>
/// <param name="Case">The case.</param>
/// <param name="Error">Euclidean norm of the difference over that of the CPU's result; NaN where it could not be run.</param>
/// <param name="Passed">Whether it is within the case's tolerance.</param>
/// <param name="Failure">Why it could not be run, if it could not.</param>
internal sealed record KernelCheck(KernelCase Case, double Error, bool Passed, string? Failure)
{
    /// <summary>The cases that check every kernel: small shapes that no tile divides, and one of a real model's head and proportions.</summary>
    public static IEnumerable<KernelCase> Cases()
    {
        var odd = new ModelShape("odd", 200, 328, 6, 2, 24, 333, 1);
        var wide = new ModelShape("wide", 512, 1408, 4, 1, 128, 1000, 1);
        return InferenceCases.Of(odd, decode: 3, prefill: 70, context: 150)
            .Concat(InferenceCases.Of(wide, decode: 16, prefill: 130, context: 300))
            .Concat(VariantCases.All())
            .Concat(TrainingCases.Of(odd, rows: 70, sequences: 2))
            .Concat(TrainingCases.Of(wide, rows: 128, sequences: 2))
            .Concat(FeedbackCases.All());
    }

    /// <summary>Runs a case on both.</summary>
    public static KernelCheck Run(KernelCase kernel, ITrainingBackend tested, ITrainingBackend reference)
    {
        float[] want = Result(kernel, reference);
        float[] got;
        try
        {
            got = Result(kernel, tested);
        }
        catch (Exception e) when (e is Cuda.Driver.CudaException or InvalidOperationException or BadInputException)
        {
            return new KernelCheck(kernel, double.NaN, Passed: false, e.Message);
        }

        double difference = 0, norm = 0;
        for (int i = 0; i < want.Length; i++)
        {
            difference += Math.Pow((double)got[i] - want[i], 2);
            norm += Math.Pow(want[i], 2);
        }

        double error = norm > 0 ? Math.Sqrt(difference / norm) : Math.Sqrt(difference);
        return new KernelCheck(kernel, error, error <= kernel.Tolerance, null);
    }

    private static float[] Result(KernelCase kernel, ITrainingBackend backend)
    {
        using var operands = new CaseOperands(backend);
        var run = kernel.Prepare(operands);
        run.Run();
        return run.Read();
    }
}
