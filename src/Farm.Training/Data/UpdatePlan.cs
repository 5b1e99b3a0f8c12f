using Farm.Core;

namespace Farm.Training.Data;

/// <summary>
/// Which examples each update sees, as a function of its number alone, so that a run can go on from any update. An epoch is cut into
/// micro-batches and every <c>accumulation</c> of them make an update. Those left over at the end of an epoch are not stepped but join the first update of the
/// next epoch, as they do in the trainer that AlpacaFarm uses; after the last epoch they are left out.
/// </summary>
/// <param name="Examples">Number of examples.</param>
/// <param name="MicroBatch">Examples of a micro-batch.</param>
/// <param name="Accumulation">Micro-batches of an update.</param>
/// <param name="Seed">Seed of the order.</param>
public sealed record UpdatePlan(int Examples, int MicroBatch, int Accumulation, ulong Seed)
{
    private (int Epoch, int[] Order)? _latest;

    /// <summary>Examples of a whole update.</summary>
    public int ExamplesPerUpdate => MicroBatch * Accumulation;

    /// <summary>Updates of an epoch.</summary>
    public int UpdatesPerEpoch => Math.Max(1, (Examples + MicroBatch - 1) / MicroBatch / Accumulation);

    /// <summary>The examples of update <paramref name="step"/>, counted from 0.</summary>
    public int[] ExamplesOf(int step)
    {
        int epoch = step / UpdatesPerEpoch, place = step % UpdatesPerEpoch;
        int first = place * ExamplesPerUpdate, end = Math.Min(first + ExamplesPerUpdate, Examples);
        int[] own = Order(epoch)[first..end];
        if (place > 0 || epoch == 0)
        {
            return own;
        }

        int stepped = Math.Min(UpdatesPerEpoch * ExamplesPerUpdate, Examples);
        return [.. Order(epoch - 1)[stepped..], .. own];
    }

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="BadInputException">One is out of range.</exception>
    public void Validate()
    {
        if (MicroBatch < 1 || Accumulation < 1 || (long)MicroBatch * Accumulation > int.MaxValue)
        {
            throw new BadInputException("--per-device-train-batch-size and --gradient-accumulation-steps must be at least 1 and their product below 2^31.");
        }

        if (Examples < 1)
        {
            throw new BadInputException("There is no example to train on.");
        }
    }

    private int[] Order(int epoch)
    {
        if (_latest?.Epoch != epoch)
        {
            _latest = (epoch, Permutations.OfEpoch(Examples, Seed, epoch));
        }

        return _latest.Value.Order;
    }
}
