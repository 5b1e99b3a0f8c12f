namespace Farm.Pocket.Judging;

/// <summary>Says which of two responses is better. Simulated judges, and annotators behind an API, implement it alike.</summary>
public interface IPairwiseJudge
{
    /// <summary>The judge's name, as it goes into files.</summary>
    string Name { get; }

    /// <summary>1 if the first response to the row is preferred, 2 if the second is.</summary>
    int Prefer(PocketRow row, string output1, string output2);
}
