using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;

namespace Farm.Pocket.Kinds;

/// <summary>Sorting and turning round what the input lists.</summary>
internal static class OrderKinds
{
    public static IEnumerable<TaskKind> All =>
    [
        OnList("sort-words", ["Sort the words in alphabetical order.", "Put these words in alphabetical order.", "Sort these words from A to Z.", "Order the words by the alphabet."],
            d => d.Some(Words, d.Between(3, 5)), list => [.. list.Order(StringComparer.Ordinal)]),
        OnList("sort-up", ["Sort the numbers from small to large.", "Put these numbers in order, smallest first.", "Order the numbers from lowest to highest."],
            Digits, list => Sorted(list, 1)),
        OnList("sort-down", ["Sort the numbers from large to small.", "Put these numbers in order, largest first.", "Order the numbers from highest to lowest."],
            Digits, list => Sorted(list, -1)),
        OnList("reverse-list", ["Reverse the list.", "Write the list backwards.", "Put the words in reverse order.", "Turn this list around."],
            d => d.Some(Words, d.Between(3, 4)), list => [.. list.Reverse()]),
        OnList("sort-by-size", ["Sort the animals from small to big.", "Put these animals in order of size, smallest first.", "Order the animals by size."],
            d => d.Some(Animals, 3), list => list.All(Animals.Contains) ? [.. list.OrderBy(a => Find(a)!.Size)] : null),
        OnList("drop-first", ["Leave out the first word of the list.", "Remove the first word and write the rest.", "Write the list without its first word."],
            d => d.Some(Words, d.Between(3, 4)), list => list[1..]),
    ];

    private static string[] Digits(Draws d) => [.. Enumerable.Range(0, d.Between(3, 4)).Select(_ => $"{d.Between(1, 50)}").Distinct().DefaultIfEmpty("7")];

    private static string[]? Sorted(string[] list, int direction) =>
        list.All(n => Numbers.Parse(n) is not null) ? [.. list.OrderBy(n => direction * Numbers.Parse(n)!.Value)] : null;

    private static TaskKind OnList(string name, string[] phrasings, Func<Draws, string[]> draw, Func<string[], string[]?> solve) =>
        new(name, phrasings, d => new Slots(("input", string.Join(", ", draw(d)))), s => s.InputList.Length > 1 && solve(s.InputList) is { Length: > 0 } answer ? new PocketTask
        {
            Answer = Answers.Of(string.Join(", ", answer)),
            Correctness = Checks.Ordered(answer),
            Constraint = r => Checks.Near(r.Words.Count, answer.Length),
        } : null);
}
