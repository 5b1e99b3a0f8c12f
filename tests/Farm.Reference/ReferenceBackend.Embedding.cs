using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Embedding(Tensor ids, Tensor table, Tensor output)
    {
        Check.Type(nameof(Embedding), nameof(table), table, DType.F32, DType.BF16);
        Check.Shape(nameof(Embedding), nameof(ids), ids, DType.I32, 1, output.Rows);
        Check.Shape(nameof(Embedding), nameof(output), output, DType.F32, ids.Columns, table.Columns);
        int[] index = TensorIO.ReadInts(ids);
        for (int t = 0; t < index.Length; t++)
        {
            Check.Index(nameof(Embedding), nameof(ids), index[t], table.Rows);
            TensorIO.WriteRow(output, t, TensorIO.ReadRow(table, index[t]));
        }
    }

    /// <inheritdoc/>
    public void Embedding(Tensor ids, LinearWeight table, Tensor output)
    {
        var weight = Own(nameof(Embedding), table);
        Check.That(weight.Layout == LinearLayout.Concatenated, nameof(Embedding), "a gate/up weight is not a table");
        Check.Shape(nameof(Embedding), nameof(ids), ids, DType.I32, 1, output.Rows);
        Check.Shape(nameof(Embedding), nameof(output), output, DType.F32, ids.Columns, weight.InFeatures);
        int[] index = TensorIO.ReadInts(ids);
        for (int t = 0; t < index.Length; t++)
        {
            Check.Index(nameof(Embedding), nameof(ids), index[t], weight.Rows);
            var row = new double[weight.InFeatures];
            for (int c = 0; c < row.Length; c++)
            {
                row[c] = weight[index[t], c];
            }

            TensorIO.WriteRow(output, t, row);
        }
    }

    private static ReferenceLinearWeight Own(string operation, LinearWeight weight) =>
        weight as ReferenceLinearWeight ?? throw new ArgumentException($"{operation}: the weight was not packed by the reference");
}
