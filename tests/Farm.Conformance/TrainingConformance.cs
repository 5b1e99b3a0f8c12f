using Farm.Core;

namespace Farm.Conformance;

/// <summary>
/// Every operation of <see cref="ITrainingBackend"/> that <see cref="IBackend"/> lacks, against the float64 reference. A test project derives one
/// class for each backend and instruction set. Any number of rows from 0, any number of columns from 1 and any even head width are within the contract.
/// </summary>
public abstract partial class TrainingConformance
{
    protected static readonly int[] RowCounts = [0, 1, 2, 7, 15, 16, 17, 33, 64, 65, 100, 130];
    protected static readonly int[] Widths = [1, 2, 7, 15, 16, 31, 64, 65, 100, 192, 257, 1000];

    /// <summary>The backend under test, with so many threads.</summary>
    protected abstract ITrainingBackend CreateBackend(int threads);

    private protected Rig NewRig() => new(CreateBackend(2));

    private protected static void Run(Rig rig, Action<ITrainingBackend, Side> operation) =>
        rig.Run(side => operation((ITrainingBackend)side.Backend, side));

    private protected static ITrainingBackend Tested(Rig rig) => (ITrainingBackend)rig.Actual;

    // Stored as the type stores them, so that a bound is computed from the same numbers.
    private protected static float[] Stored(DType type, float[] values) => Array.ConvertAll(values, x => ArraySource.RoundTo(type, x));

    private protected static double Norm(ReadOnlySpan<float> values)
    {
        double squares = 0;
        foreach (float x in values)
        {
            squares += (double)x * x;
        }

        return Math.Sqrt(squares);
    }

    private protected static double Largest(float[] values) => values.Length == 0 ? 0 : values.Max(MathF.Abs);

    private protected static float[][] Rows(float[] values, int rows) =>
        [.. Enumerable.Range(0, rows).Select(t => values.AsSpan(t * values.Length / rows, values.Length / rows).ToArray())];
}
