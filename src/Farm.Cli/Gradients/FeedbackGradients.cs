using Farm.Cli.Kernels;
using Farm.Core;

namespace Farm.Cli.Gradients;

/// <summary>
/// The gradients of the losses of learning from feedback (<see cref="IReinforcementBackend"/>). Operands of clipped losses keep their distance from the clips' edges, where there is no derivative.
/// </summary>
internal static class FeedbackGradients
{
    private const double Tolerance = 1e-3;
    private const float Scale = 0.5f;

    /// <summary>Every loss that has a gradient.</summary>
    public static IEnumerable<GradientCase> All() =>
    [
        new("linear-log-prob", Tolerance, LinearLogProb), new("linear-policy-loss", Tolerance, LinearPolicyLoss), new("value-loss", Tolerance, ValueLoss),
        new("dpo-loss sigmoid", Tolerance, o => DpoLoss(o, DpoKind.Sigmoid)), new("dpo-loss ipo", Tolerance, o => DpoLoss(o, DpoKind.Ipo)), new("pairwise-loss", Tolerance, PairwiseLoss),
        new("quark-loss", Tolerance, QuarkLoss),
    ];

    private static IReinforcementBackend Backend(CaseOperands o) => (IReinforcementBackend)o.Backend;

    private static GradientProbe LinearLogProb(CaseOperands o)
    {
        const float Temperature = 0.7f;
        Tensor h = o.Real(5, 16), w = o.Real(13, 16), g = o.Real(1, 5), logProbs = o.Zero(1, 5), dh = o.Zero(5, 16), dw = o.Zero(13, 16);
        var ids = o.Ints(1, 5, i => 4 * i % 13);
        float[] weights = o.Read(g);
        return new GradientProbe([("hidden", h), ("weight", w)], () =>
        {
            Backend(o).LinearLogProb(h, w, ids, Temperature, logProbs);
            return OperationGradients.Dot(o, logProbs, weights);
        }, () =>
        {
            Backend(o).LinearLogProb(h, w, ids, Temperature, logProbs, gradients: g, hiddenGradient: dh, weightGradient: dw);
            return [dh, dw];
        });
    }

    private static GradientProbe LinearPolicyLoss(CaseOperands o)
    {
        const int Rows = 6;
        var settings = new PolicyLossSettings(1f, 0.2f, Scale);
        Tensor h = o.Real(Rows, 16), w = o.Real(13, 16), old = o.Zero(1, Rows), advantages = o.Real(1, Rows), logProbs = o.Zero(1, Rows), losses = o.Zero(1, Rows), clipped = o.Zero(1, Rows);
        Tensor dh = o.Zero(Rows, 16), dw = o.Zero(13, 16), ids = o.Ints(1, Rows, i => 4 * i % 13);
        Backend(o).LinearLogProb(h, w, ids, 1f, logProbs);

        // Ratios of 1, 1.6 and 0.6: within, above and below the interval.
        o.Backend.Upload<float>([.. o.Read(logProbs).Select((p, i) => p + ((i % 3) switch { 0 => 0f, 1 => -0.5f, _ => 0.5f }))], old);
        return new GradientProbe([("hidden", h), ("weight", w)], () =>
        {
            Backend(o).LinearPolicyLoss(h, w, ids, settings, old, advantages, logProbs, losses, clipped);
            return Sum(o, losses);
        }, () =>
        {
            Backend(o).LinearPolicyLoss(h, w, ids, settings, old, advantages, logProbs, losses, clipped, hiddenGradient: dh, weightGradient: dw);
            return [dh, dw];
        });
    }

    private static GradientProbe ValueLoss(CaseOperands o)
    {
        const int Count = 12;
        const float Clip = 0.2f;
        Tensor values = o.Real(1, Count), old = o.Zero(1, Count), returns = o.Zero(1, Count), losses = o.Zero(1, Count), clipped = o.Zero(1, Count), gradients = o.Zero(1, Count);
        float[] at = o.Read(values);

        // Values within, above and below the interval around the old ones; returns on both sides, farther than either.
        o.Backend.Upload<float>([.. at.Select((v, i) => v - ((i % 3) switch { 0 => 0.05f, 1 => 0.5f, _ => -0.5f }))], old);
        o.Backend.Upload<float>([.. at.Select((v, i) => v + (i % 2 == 0 ? 1.5f : -1.5f))], returns);
        void Run() => Backend(o).ValueLoss(values, old, returns, Clip, Scale, losses, clipped, gradients);
        return Loss(o, Run, losses, () => [gradients], ("values", values));
    }

    private static GradientProbe DpoLoss(CaseOperands o, DpoKind kind)
    {
        const int Count = 7;
        var settings = new DpoSettings(kind, 0.3f, kind == DpoKind.Sigmoid ? 0.1f : 0f, Scale);
        Tensor chosen = o.Real(1, Count, 3), rejected = o.Real(1, Count, 3), referenceChosen = o.Real(1, Count, 3), referenceRejected = o.Real(1, Count, 3);
        Tensor losses = o.Zero(1, Count), gradients = o.Zero(1, Count), negative = o.Zero(1, Count);
        void Run() => Backend(o).DpoLoss(chosen, rejected, referenceChosen, referenceRejected, settings, losses, gradients);
        return Loss(o, Run, losses, () =>
        {
            o.Backend.Scale(gradients, -1f, negative);
            return [gradients, negative];
        }, ("chosen", chosen), ("rejected", rejected));
    }

    private static GradientProbe PairwiseLoss(CaseOperands o)
    {
        const int Count = 6;
        Tensor rewards = o.Real(Count, 2, 3), choices = o.Ints(1, Count, i => i % 2), losses = o.Zero(1, Count), gradients = o.Zero(Count, 2);
        void Run() => Backend(o).PairwiseLoss(rewards, choices, Scale, losses, gradients);
        return Loss(o, Run, losses, () => [gradients], ("rewards", rewards));
    }

    private static GradientProbe QuarkLoss(CaseOperands o)
    {
        const int Rows = 4, Columns = 13;
        var settings = new QuarkSettings(0.8f, Columns - 2, 0.3f, 0.2f, Scale);
        Tensor logits = o.Real(Rows, Columns, 2), reference = o.Real(Rows, Columns, 2), ids = o.Ints(1, Rows, i => i == 2 ? -1 : 5 * i % Columns);
        Tensor losses = o.Zero(1, Rows), logProbs = o.Zero(1, Rows), kl = o.Zero(1, Rows), entropies = o.Zero(1, Rows), gradient = o.Zero(Rows, Columns);
        void Run() => Backend(o).QuarkLoss(logits, reference, ids, settings, losses, logProbs, kl, entropies, gradient);
        return Loss(o, Run, losses, () => [gradient], ("logits", logits));
    }

    private static GradientProbe Loss(CaseOperands o, Action run, Tensor losses, Func<IReadOnlyList<Tensor>> gradients, params (string Name, Tensor Value)[] operands) => new(operands, () =>
    {
        run();
        return Sum(o, losses);
    }, () =>
    {
        run();
        return gradients();
    });

    private static double Sum(CaseOperands o, Tensor losses) => Scale * o.Read(losses).Sum(l => (double)l);
}
