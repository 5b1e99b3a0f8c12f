namespace Farm.Training.Reinforcement;

/// <summary>What a PPO run carries from step to step besides weights and moments: the KL coefficient, and its best evaluation so far. Checkpoints keep it.</summary>
internal sealed class PpoState(KlController kl)
{
    private const string Coefficient = "kl_coef", Best = "best_eval_reward", BestAt = "best_eval_step";

    /// <summary>The KL penalty's coefficient.</summary>
    public KlController Kl => kl;

    /// <summary>Step of the best evaluation; 0 without one.</summary>
    public int BestStep { get; private set; }

    /// <summary>What ranked it.</summary>
    public double BestEvaluation { get; private set; } = double.NegativeInfinity;

    /// <summary>Notes an evaluation; true where it is the best so far.</summary>
    public bool IsBest(int step, double rank)
    {
        if (!(rank > BestEvaluation))
        {
            return false;
        }

        (BestEvaluation, BestStep) = (rank, step);
        return true;
    }

    /// <summary>The state as a checkpoint keeps it.</summary>
    public IReadOnlyDictionary<string, double> Values()
    {
        var values = new Dictionary<string, double> { [Coefficient] = kl.Value };
        if (BestStep > 0)
        {
            (values[Best], values[BestAt]) = (BestEvaluation, BestStep);
        }

        return values;
    }

    /// <summary>Takes over what a checkpoint kept; null for a run that begins.</summary>
    public void Restore(IReadOnlyDictionary<string, double>? values)
    {
        if (values is null)
        {
            return;
        }

        kl.Value = values[Coefficient];
        BestStep = (int)values.GetValueOrDefault(BestAt);
        BestEvaluation = BestStep > 0 ? values[Best] : BestEvaluation;
    }
}
