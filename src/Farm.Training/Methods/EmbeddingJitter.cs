using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Model;

namespace Farm.Training.Methods;

/// <summary>AlpacaFarm's start of new tokens in Quark: the mean row that resizing gives them, plus normal noise of each dimension's deviation over the old rows.</summary>
public static class EmbeddingJitter
{
    /// <summary>Adds the noise to the rows of the embedding and of the language head from <paramref name="firstNew"/> on, independent in both; tied ones are one.</summary>
    public static void Apply(TrainableLlama model, int firstNew, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        var names = new TensorNames(model.Prefix);
        uint stream = 0;
        foreach (string name in new[] { names.Embedding, names.OutputHead }.Where(model.Base.Contains))
        {
            var table = model.Base.ValueOf(name);
            if (table.DType != DType.F32)
            {
                continue;
            }

            var old = new float[(long)firstNew * table.Columns];
            model.Backend.Download<float>(table.SliceRows(0, firstNew), old);
            for (int row = firstNew; row < table.Rows; row++)
            {
                var values = new float[table.Columns];
                model.Backend.Download<float>(table.SliceRows(row, 1), values);
                for (int c = 0; c < values.Length; c++)
                {
                    values[c] += (float)(Deviation(old, table.Columns, c) * Normal(seed, (uint)row, (uint)c, stream));
                }

                model.Backend.Upload<float>(values, table.SliceRows(row, 1));
            }

            stream++;
        }

        model.Base.RefreshCopies();
    }

    private static double Deviation(float[] rows, int columns, int column)
    {
        int count = rows.Length / columns;
        double mean = 0, squares = 0;
        for (int r = 0; r < count; r++)
        {
            mean += rows[(r * columns) + column];
        }

        mean /= count;
        for (int r = 0; r < count; r++)
        {
            double off = rows[(r * columns) + column] - mean;
            squares += off * off;
        }

        return Math.Sqrt(squares / Math.Max(1, count - 1));
    }

    // Box and Muller's transform.
    private static double Normal(ulong seed, uint row, uint column, uint stream)
    {
        double u = 1 - Philox.Uniform(seed, row, column, 2 * stream, RandomStreams.Initialisation), v = Philox.Uniform(seed, row, column, (2 * stream) + 1, RandomStreams.Initialisation);
        return Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v);
    }
}
