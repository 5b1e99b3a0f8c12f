using Farm.Annotation.Data;
using Farm.Annotation.Judging;

namespace Farm.Annotation.Annotating;

/// <summary>Reads the raw replies of an annotation file anew.</summary>
public static class StoredReplies
{
    /// <summary>What a judge's parser and the drawn order make of a stored reply.</summary>
    /// <param name="judge">The judge; it needs no client.</param>
    /// <param name="judgment">The stored judgment.</param>
    /// <param name="seed">The seed of the file.</param>
    /// <returns>The verdict in the file's order, null where the row has no reply.</returns>
    public static Verdict? Read(IPairwiseJudge judge, PairJudgment judgment, int? seed = 0)
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentNullException.ThrowIfNull(judgment);
        if (judgment.RawCompletion is not { } raw)
        {
            return null;
        }

        var row = new PairRow(judgment.Instruction, judgment.Output1, judgment.Output2, judgment.Input) { Fields = judgment.Extras };
        var verdict = judge.Read(raw, 1)[0];
        return verdict with { Preference = AnnotatedPair.Unswitch(verdict.Preference, OutputSwap.IsSwitched(judge, row, seed)) };
    }
}
