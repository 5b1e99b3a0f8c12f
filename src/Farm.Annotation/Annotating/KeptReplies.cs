using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;

namespace Farm.Annotation.Annotating;

/// <summary>Results from replies that a journal keeps. Replies are read anew: another parser may be set up today. The order is the one that was shown then.</summary>
internal static class KeptReplies
{
    /// <summary>Whether a reply has no preference.</summary>
    public static bool IsFailure(KeptReply kept, IPairwiseJudge judge) => Verdict(kept, judge).Preference is null;

    /// <summary>The result of a pair whose reply is kept.</summary>
    public static AnnotatedPair Result(AskedPair asked, IPairwiseJudge judge, KeptReply kept)
    {
        var verdict = Verdict(kept, judge);
        double? preference = AnnotatedPair.Unswitch(verdict.Preference, kept.IsSwitched);
        return new AnnotatedPair(asked.Index, asked.Row, judge.Name, preference, PreferenceOrigin.Model)
        {
            Failure = verdict.Failure,
            IsSwitched = kept.IsSwitched,
            Raw = kept.Raw,
            Price = kept.Price / kept.Pairs,
            Seconds = kept.Seconds / kept.Pairs,
            Date = kept.Date,
            FromJournal = true,
            Columns = kept.Raw is { } raw ? judge.Columns(raw, preference) : [],
        }.By(judge);
    }

    private static Verdict Verdict(KeptReply kept, IPairwiseJudge judge)
    {
        if (kept.IsImported && kept.Preference is { } imported)
        {
            return new Verdict(AnnotatedPair.Unswitch(imported, kept.IsSwitched));
        }

        return kept.Raw is { } raw ? judge.Read(raw, kept.Pairs)[kept.Position] : new Verdict(null, kept.Failure ?? new JudgeFailure(FailureReason.Imported, "no preference is kept"));
    }
}
