using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Annotation.Judging;

namespace Farm.Annotation.Annotating;

/// <summary>A row that must be asked.</summary>
/// <param name="Index">Its place among the rows.</param>
/// <param name="Row">The row.</param>
/// <param name="Key">What tells its pair from others.</param>
/// <param name="IsSwitched">Whether the second output is shown first.</param>
internal sealed record AskedPair(int Index, PairRow Row, PairKey Key, bool IsSwitched)
{
    /// <summary>The pair as the judge sees it.</summary>
    public ShownPair Shown => IsSwitched
        ? new ShownPair(Row.MergedInstruction, Row.Output2, Row.Output1, Row)
        : new ShownPair(Row.MergedInstruction, Row.Output1, Row.Output2, Row);
}
