using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Farm.Annotation.UltraFeedback;

/// <summary>What completions are ranked by.</summary>
public enum ScoreSource
{
    /// <summary>The overall score of the critique.</summary>
    Overall,

    /// <summary>The mean rating over the aspects.</summary>
    MeanAspect,

    /// <summary>The rating on one aspect.</summary>
    Aspect,
}

/// <summary>Which pairs are made of a record's completions.</summary>
public enum Pairing
{
    /// <summary>The best with a random one of the others.</summary>
    BestVsRandom,

    /// <summary>The best with the worst.</summary>
    BestVsWorst,

    /// <summary>The best with each of the others.</summary>
    BestVsEach,

    /// <summary>Every two.</summary>
    AllPairs,
}

/// <summary>A preference pair made from scores.</summary>
/// <param name="Record">The record.</param>
/// <param name="Chosen">The better completion.</param>
/// <param name="Rejected">The other one.</param>
/// <param name="ChosenScore">The better one's score.</param>
/// <param name="RejectedScore">The other one's score.</param>
public sealed record BinarizedPair(UltraFeedbackRecord Record, UltraFeedbackCompletion Chosen, UltraFeedbackCompletion Rejected, double ChosenScore, double RejectedScore);

/// <summary>Preference pairs from scores of completions.</summary>
public sealed record Binarization
{
    /// <summary>What completions are ranked by.</summary>
    public ScoreSource Source { get; init; } = ScoreSource.MeanAspect;

    /// <summary>The aspect, where <see cref="Source"/> is one.</summary>
    public Aspect Aspect { get; init; } = Aspect.Helpfulness;

    /// <summary>Which pairs are made.</summary>
    public Pairing Pairing { get; init; } = Pairing.BestVsRandom;

    /// <summary>True to leave pairs of equal scores out.</summary>
    public bool DropTies { get; init; } = true;

    /// <summary>Decides the random one of the others, together with the instruction: a record's pair does not depend on the records around it.</summary>
    public int Seed { get; init; }

    /// <summary>The pairs of one record; completions without a score take no part.</summary>
    public IEnumerable<BinarizedPair> Derive(UltraFeedbackRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        var scored = record.Completions.Select(c => (Completion: c, Score: Score(c))).Where(c => c.Score is not null)
            .Select(c => (c.Completion, Score: c.Score!.Value)).OrderByDescending(c => c.Score).ToList();
        if (scored.Count < 2)
        {
            return [];
        }

        var best = scored[0];
        var others = scored.Skip(1).Where(c => !DropTies || c.Score < best.Score).ToList();
        var pairs = Pairing switch
        {
            Pairing.AllPairs => scored.SelectMany((a, i) => scored.Skip(i + 1).Select(b => (a, b))),
            Pairing.BestVsEach => others.Select(o => (best, o)),
            Pairing.BestVsWorst => others.TakeLast(1).Select(o => (best, o)),
            _ => others.Count == 0 ? [] : [(best, others[Draw(record.Instruction, others.Count)])],
        };
        return pairs.Where(p => !DropTies || p.Item1.Score > p.Item2.Score)
            .Select(p => new BinarizedPair(record, p.Item1.Completion, p.Item2.Completion, p.Item1.Score, p.Item2.Score));
    }

    private double? Score(UltraFeedbackCompletion completion) => Source switch
    {
        ScoreSource.Overall => completion.OverallScore,
        ScoreSource.Aspect => completion.MeanRating(Aspect),
        _ => completion.MeanOfAspects(),
    };

    private int Draw(string instruction, int count)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"binarize\0{Seed}\0{instruction}")));
        return (int)(BitConverter.ToUInt64(hash) % (ulong)count);
    }
}
