using Farm.Cuda.Driver;

namespace Farm.Roofline;

/// <summary>What one launch of a kernel moves and does, by the driver simulator's counters, and how often a pass makes it.</summary>
/// <param name="Op">The backend's operation.</param>
/// <param name="Shape">Its shape, in words.</param>
/// <param name="Kernel">The kernel.</param>
/// <param name="Times">Launches of it in the pass.</param>
/// <param name="Bytes">Bytes of the distinct 32-byte sectors that a launch touches: what memory moves at least.</param>
/// <param name="CacheBytes">Bytes of the sectors of all requests: what the caches are asked for.</param>
/// <param name="TensorFlops">Tensor-core operations of a launch.</param>
/// <param name="Flops">Other float operations of a launch.</param>
/// <param name="CountedRows">Rows that were simulated, where the count is carried on to more of them; 0 where all rows were.</param>
/// <param name="CountedColumns">The same of columns.</param>
internal sealed record LaunchCount(
    string Op, string Shape, string Kernel, long Times, double Bytes, double CacheBytes, double TensorFlops, double Flops, int CountedRows = 0, int CountedColumns = 0)
{
    /// <summary>The mean launch of a kernel within an operation.</summary>
    public static LaunchCount Of(string op, string shape, string kernel, SimulatorCounters counted, int countedRows = 0, int countedColumns = 0)
    {
        double n = Math.Max(counted.Launches, 1);
        return new LaunchCount(op, shape, kernel, counted.Launches, counted.UniqueBytes / n, (counted.LoadSectorBytes + counted.StoreSectorBytes) / n, counted.MmaFlops / n, counted.Flops / n,
            countedRows, countedColumns);
    }
}

/// <summary>The launches of one pass of a model.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Pass">decode, prefill, gradients of a micro-batch, or update.</param>
/// <param name="Activations">bf16 (rounded) or f32 (exact, three bf16 terms).</param>
/// <param name="Prompts">Prompts in flight, or sequences of a micro-batch.</param>
/// <param name="Samples">Samples of a prompt; 0 in training.</param>
/// <param name="PromptTokens">Tokens of a prompt, or of a sequence.</param>
/// <param name="Position">Tokens of each response so far.</param>
/// <param name="Rows">Rows of the pass.</param>
/// <param name="MemoryBytes">What the pass's owner allocates of device memory; 0 where a plan tells it.</param>
/// <param name="Launches">The launches.</param>
internal sealed record PassCount(
    string Model, string Pass, string Activations, int Prompts, int Samples, int PromptTokens, int Position, int Rows, double MemoryBytes, IReadOnlyList<LaunchCount> Launches)
{
    public double Bytes => Launches.Sum(l => l.Times * l.Bytes);

    public double CacheBytes => Launches.Sum(l => l.Times * l.CacheBytes);

    public double TensorFlops => Launches.Sum(l => l.Times * l.TensorFlops);

    public double Flops => Launches.Sum(l => l.Times * l.Flops);

    public long LaunchTotal => Launches.Sum(l => l.Times);
}
