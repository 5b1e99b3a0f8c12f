using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default,
        Tensor weightGradient = default)
    {
        const string Operation = nameof(LinearCrossEntropy);
        Check.Type(Operation, nameof(hidden), hidden, DType.F32);
        Check.Type(Operation, nameof(weight), weight, DType.F32, DType.BF16);
        Check.Shape(Operation, nameof(weight), weight, weight.DType, weight.Rows, hidden.Columns);
        Check.Shape(Operation, nameof(labels), labels, DType.I32, 1, hidden.Rows);
        Check.Shape(Operation, nameof(scales), scales, DType.F32, 1, hidden.Rows);
        Check.Shape(Operation, nameof(losses), losses, DType.F32, 1, hidden.Rows);
        if (!hiddenGradient.IsNone)
        {
            Check.Shape(Operation, nameof(hiddenGradient), hiddenGradient, DType.F32, hidden.Rows, hidden.Columns);
        }

        if (!weightGradient.IsNone)
        {
            Check.Shape(Operation, nameof(weightGradient), weightGradient, DType.F32, weight.Rows, weight.Columns);
        }

        int[] label = TensorIO.ReadInts(labels);
        Check.That(label.All(l => l < weight.Rows), Operation, $"a label is outside 0 .. {weight.Rows - 1}");
        double[][] w = TensorIO.ReadRows(weight);
        double[][]? dw = weightGradient.IsNone ? null : TensorIO.ReadRows(weightGradient);
        double[] scale = TensorIO.ReadRow(scales, 0), loss = new double[hidden.Rows];
        for (int t = 0; t < hidden.Rows; t++)
        {
            var dh = new double[hidden.Columns];
            loss[t] = CrossEntropy(TensorIO.ReadRow(hidden, t), w, label[t], scale[t], dh, dw);
            if (!hiddenGradient.IsNone)
            {
                TensorIO.WriteRow(hiddenGradient, t, dh);
            }
        }

        TensorIO.WriteRow(losses, 0, loss);
        for (int v = 0; dw is not null && v < dw.Length; v++)
        {
            TensorIO.WriteRow(weightGradient, v, dw[v]);
        }
    }

    // The loss of one row; dh += scale sum_v (p_v - [v = label]) w_v, and dw_v += scale (p_v - [v = label]) h where dw is given.
    internal static double CrossEntropy(double[] h, double[][] w, int label, double scale, double[] dh, double[][]? dw)
    {
        if (label < 0)
        {
            return 0;
        }

        double[] logs = LogSoftmax(h, w);
        for (int v = 0; v < w.Length; v++)
        {
            double d = scale * (Math.Exp(logs[v]) - (v == label ? 1 : 0));
            AddTo(dh, w[v], d);
            if (dw is not null)
            {
                AddTo(dw[v], h, d);
            }
        }

        return -logs[label];
    }

    // log softmax(w h)
    internal static double[] LogSoftmax(double[] h, double[][] w)
    {
        double[] logits = [.. w.Select(row => Dot(h, row))];
        double largest = logits.Max(), logSum = largest + Math.Log(logits.Sum(x => Math.Exp(x - largest)));
        return [.. logits.Select(x => x - logSum)];
    }
}
