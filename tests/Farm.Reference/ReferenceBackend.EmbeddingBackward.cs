using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor outputGradient, Tensor tableGradient)
    {
        const string Operation = nameof(EmbeddingBackward);
        Check.Type(Operation, nameof(outputGradient), outputGradient, DType.F32);
        Check.Shape(Operation, nameof(ids), ids, DType.I32, 1, outputGradient.Rows);
        Check.Shape(Operation, nameof(tableGradient), tableGradient, DType.F32, tableGradient.Rows, outputGradient.Columns);
        int[] index = TensorIO.ReadInts(ids);
        var sums = new Dictionary<int, double[]>();
        for (int t = 0; t < index.Length; t++)
        {
            Check.Index(Operation, nameof(ids), index[t], tableGradient.Rows);
            if (!sums.TryGetValue(index[t], out double[]? sum))
            {
                sums[index[t]] = sum = TensorIO.ReadRow(tableGradient, index[t]);
            }

            AddTo(sum, TensorIO.ReadRow(outputGradient, t));
        }

        foreach (var (id, sum) in sums)
        {
            TensorIO.WriteRow(tableGradient, id, sum);
        }
    }
}
