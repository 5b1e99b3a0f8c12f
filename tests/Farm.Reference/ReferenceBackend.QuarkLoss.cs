using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void QuarkLoss(Tensor logits, Tensor referenceLogits, Tensor ids, in QuarkSettings settings, Tensor losses, Tensor logProbs, Tensor kl, Tensor entropies, Tensor gradient = default)
    {
        const string Operation = nameof(QuarkLoss);
        Check.Shape(Operation, nameof(logits), logits, DType.F32, logits.Rows, logits.Columns);
        Check.Shape(Operation, nameof(referenceLogits), referenceLogits, DType.F32, logits.Rows, logits.Columns);
        Check.Shape(Operation, nameof(ids), ids, DType.I32, 1, logits.Rows);
        Vectors(Operation, logits.Rows, (nameof(losses), losses), (nameof(logProbs), logProbs), (nameof(kl), kl), (nameof(entropies), entropies));
        Check.That(settings.Vocabulary >= 1 && settings.Vocabulary <= logits.Columns, Operation, $"a vocabulary of {settings.Vocabulary} of {logits.Columns} columns");
        Check.That(settings.Temperature > 0, Operation, $"a temperature of {settings.Temperature}");
        if (!gradient.IsNone)
        {
            Check.Shape(Operation, nameof(gradient), gradient, DType.F32, logits.Rows, logits.Columns);
        }

        int[] id = TensorIO.ReadInts(ids);
        var terms = new QuarkTerm[logits.Rows];
        for (int t = 0; t < logits.Rows; t++)
        {
            Check.That(id[t] < logits.Columns, Operation, $"id {id[t]} is outside the columns");
            double[] slopes = new double[logits.Columns];
            terms[t] = Quark(TensorIO.ReadRow(logits, t), TensorIO.ReadRow(referenceLogits, t), id[t], settings, slopes);
            if (!gradient.IsNone)
            {
                TensorIO.WriteRow(gradient, t, slopes);
            }
        }

        TensorIO.WriteRow(losses, 0, [.. terms.Select(x => x.Loss)]);
        TensorIO.WriteRow(logProbs, 0, [.. terms.Select(x => x.LogProb)]);
        TensorIO.WriteRow(kl, 0, [.. terms.Select(x => x.Kl)]);
        TensorIO.WriteRow(entropies, 0, [.. terms.Select(x => x.Entropy)]);
    }

    internal static QuarkTerm Quark(double[] logits, double[] reference, int id, in QuarkSettings s, double[] gradient)
    {
        if (id < 0)
        {
            return default;
        }

        double temperature = s.Temperature;
        double[] all = LogNormalised(logits, logits.Length, temperature), own = LogNormalised(logits, s.Vocabulary, temperature), theirs = LogNormalised(reference, s.Vocabulary, temperature);
        double kl = 0, entropy = 0;
        for (int i = 0; i < s.Vocabulary; i++)
        {
            double q = Math.Exp(own[i]);
            kl += q == 0 ? 0 : q * (own[i] - theirs[i]);
            entropy -= q == 0 ? 0 : q * own[i];
        }

        for (int i = 0; i < logits.Length; i++)
        {
            double slope = Math.Exp(all[i]) - (i == id ? 1 : 0);
            if (i < s.Vocabulary && Math.Exp(own[i]) is > 0 and var q)
            {
                slope += q * ((s.KlCoefficient * (own[i] - theirs[i] - kl)) + (s.EntropyCoefficient * (own[i] + entropy)));
            }

            gradient[i] = s.Scale * slope / temperature;
        }

        return new QuarkTerm(-all[id] + (s.KlCoefficient * kl) - (s.EntropyCoefficient * entropy), all[id], kl, entropy);
    }

    private static double[] LogNormalised(double[] logits, int count, double temperature)
    {
        double[] z = [.. logits.Take(count).Select(x => x / temperature)];
        double largest = z.Max(), logSum = largest + Math.Log(z.Sum(x => Math.Exp(x - largest)));
        return [.. z.Select(x => x - logSum)];
    }

    internal readonly record struct QuarkTerm(double Loss, double LogProb, double Kl, double Entropy);
}
