using Farm.Pocket.Tasks;

namespace Farm.Pocket.Kinds;

/// <summary>Every kind of instruction of the pocket world, in a fixed order.</summary>
internal static class TaskKinds
{
    public static IReadOnlyList<TaskKind> All { get; } =
    [
        .. ListKinds.All, .. OrderKinds.All, .. ArithmeticKinds.All, .. WordKinds.All, .. ChoiceKinds.All, .. FactKinds.All, .. TextKinds.All,
        .. CodeAndCalendarKinds.All, .. WritingKinds.All,
    ];

    /// <summary>The kind of a row and what it asks for, null if it is of none.</summary>
    public static (TaskKind Kind, PocketTask Task)? Find(PocketRow row)
    {
        foreach (var kind in All)
        {
            if (kind.Read(row) is { } task)
            {
                return (kind, task);
            }
        }

        return null;
    }
}
