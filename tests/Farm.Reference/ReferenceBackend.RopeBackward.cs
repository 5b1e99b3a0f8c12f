using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void RopeBackward(Tensor qkvGradient, int queryHeads, int kvHeads, Tensor positions, Tensor cosine, Tensor sine)
    {
        const string Operation = nameof(RopeBackward);
        Check.Type(Operation, nameof(cosine), cosine, DType.F32);
        int half = cosine.Columns, headDim = 2 * half, heads = queryHeads + kvHeads;
        Check.That(queryHeads > 0 && kvHeads > 0, Operation, $"{queryHeads} query and {kvHeads} key heads");
        Check.Shape(Operation, nameof(qkvGradient), qkvGradient, DType.F32, qkvGradient.Rows, (heads + kvHeads) * headDim);
        Check.Shape(Operation, nameof(sine), sine, DType.F32, cosine.Rows, half);
        Check.Shape(Operation, nameof(positions), positions, DType.I32, 1, qkvGradient.Rows);
        int[] position = TensorIO.ReadInts(positions);
        for (int t = 0; t < qkvGradient.Rows; t++)
        {
            Check.Index(Operation, nameof(positions), position[t], cosine.Rows);
            double[] row = TensorIO.ReadRow(qkvGradient, t);
            double[] cos = TensorIO.ReadRow(cosine, position[t]), sin = TensorIO.ReadRow(sine, position[t]);
            for (int head = 0; head < heads; head++)
            {
                RotateBack(row.AsSpan(head * headDim, headDim), cos, sin);
            }

            TensorIO.WriteRow(qkvGradient, t, row);
        }
    }

    // The transpose of the rotation: g_i cos + g_{i + d/2} sin, g_{i + d/2} cos - g_i sin.
    internal static void RotateBack(Span<double> head, double[] cos, double[] sin)
    {
        int half = cos.Length;
        for (int i = 0; i < half; i++)
        {
            double a = head[i], b = head[i + half];
            head[i] = (a * cos[i]) + (b * sin[i]);
            head[i + half] = (b * cos[i]) - (a * sin[i]);
        }
    }
}
