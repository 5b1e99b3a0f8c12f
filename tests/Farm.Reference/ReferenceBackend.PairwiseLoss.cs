using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void PairwiseLoss(Tensor rewards, Tensor choices, float scale, Tensor losses, Tensor gradients)
    {
        const string Operation = nameof(PairwiseLoss);
        Check.Shape(Operation, nameof(rewards), rewards, DType.F32, rewards.Rows, 2);
        Check.Shape(Operation, nameof(choices), choices, DType.I32, 1, rewards.Rows);
        Check.Shape(Operation, nameof(losses), losses, DType.F32, 1, rewards.Rows);
        Check.Shape(Operation, nameof(gradients), gradients, DType.F32, rewards.Rows, 2);
        int[] choice = TensorIO.ReadInts(choices);
        double[] loss = new double[choice.Length];
        for (int p = 0; p < choice.Length; p++)
        {
            Check.Index(Operation, nameof(choices), choice[p], 2);
            double[] r = TensorIO.ReadRow(rewards, p);
            (loss[p], double slope) = Pairwise(r[1] - r[0], choice[p]);
            TensorIO.WriteRow(gradients, p, [-scale * slope, scale * slope]);
        }

        TensorIO.WriteRow(losses, 0, loss);
    }

    internal static (double Loss, double Slope) Pairwise(double logit, int choice) =>
        choice == 1 ? (Softplus(-logit), -Logistic(-logit)) : (Softplus(logit), Logistic(logit));
}
