using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;

namespace Farm.Pocket.Kinds;

/// <summary>Picking one of the words that the instruction or the input offers.</summary>
internal static class ChoiceKinds
{
    private static readonly HashSet<string> s_digits = Enumerable.Range(0, 10).Select(Numbers.Word).ToHashSet(StringComparer.Ordinal);

    public static IEnumerable<TaskKind> All =>
    [
        new("rhyme", ["Which word rhymes with {word}: {a}, {b} or {c}?", "Pick the word that rhymes with {word}: {a}, {b} or {c}.", "Find a rhyme for {word} among {a}, {b} and {c}."],
            d =>
            {
                string[][] groups = d.Some(Vocabulary.Rhymes, 3);
                string[] pair = d.Some(groups[0], 2);
                string[] options = d.Some([pair[1], d.Pick(groups[1]), d.Pick(groups[2])], 3);
                return new Slots(("word", pair[0]), ("a", options[0]), ("b", options[1]), ("c", options[2]));
            },
            s => Vocabulary.Rhymes.FirstOrDefault(g => g.Contains(s["word"])) is { } group ? Only([s["a"], s["b"], s["c"]], group.Contains, $"{{0}} rhymes with {s["word"]}.") : null),
        new("odd-one-out", ["Which word does not belong?", "Pick the odd one out.", "Find the word that does not fit.", "One word is different from the others. Which one?"],
            d =>
            {
                string[] categories = d.Some(CategoryNames, 2);
                return new Slots(("input", string.Join(", ", d.Some([.. d.Some(Categories[categories[0]], 3), d.Pick(Categories[categories[1]])], 4))));
            },
            s =>
            {
                string?[] groups = [.. s.InputList.Select(CategoryOf)];
                return s.InputList.Length < 3 || groups.Contains(null) ? null : Only(s.InputList, w => groups.Count(g => g == CategoryOf(w)) == 1, "{0} does not belong.");
            }),
        Compare("bigger", ["Which is bigger, {a} or {b}?", "Which animal is bigger: {a} or {b}?", "Tell me the bigger animal, {a} or {b}."], "bigger", 1),
        Compare("smaller", ["Which is smaller, {a} or {b}?", "Which animal is smaller: {a} or {b}?", "Tell me the smaller animal, {a} or {b}."], "smaller", -1),
        new("pick-category", ["Which of the words is {a}?", "Find {a} in the list.", "Pick the word that is {a}.", "One of these words is {a}. Which one?"],
            d =>
            {
                string[] categories = d.Some(CategoryNames, 3);
                return new Slots(("a", A(Singular(categories[0]))), ("input", string.Join(", ", d.Some(categories, 3).Select(c => d.Pick(Categories[c])))));
            },
            s => Only(s.InputList, w => CategoryOf(w) is { } c && A(Singular(c)) == s["a"], "{0} is " + s["a"] + ".")),
        new("how-many-in-list", ["How many {category} are in the list?", "Count the {category} in the list.", "How many of the words are {category}?"],
            d =>
            {
                string[] categories = d.Some(CategoryNames, 2);
                int n = d.Between(1, 3);
                string[] words = [.. d.Some(Categories[categories[0]], n), .. d.Some(Categories[categories[1]], 4 - n)];
                return new Slots(("category", categories[0]), ("input", string.Join(", ", d.Some(words, 4))));
            },
            s => Categories.TryGetValue(s["category"], out var set) ? Count(s.InputList.Count(set.Contains), s["category"]) : null),
    ];

    private static PocketTask Count(int count, string category) => new()
    {
        Answer = Answers.Of(Numbers.Word(count), $"there are {{0}} {category}."),
        Correctness = Checks.Number(count),
        Topic = s_digits.Contains,
    };

    private static PocketTask? Only(string[] options, Func<string, bool> isRight, string form) => options.Count(isRight) != 1 ? null : new PocketTask
    {
        Answer = Answers.Of(options.First(isRight), form),
        Correctness = Checks.Choice(options.First(isRight), options),
    };

    private static TaskKind Compare(string name, string[] phrasings, string word, int direction) => new(name, phrasings,
        d => { var pair = d.Some(Animals, 2); return new Slots(("a", A(pair[0])), ("b", A(pair[1]))); },
        s =>
        {
            var animals = new[] { s["a"], s["b"] }.Select(x => Find(x[(x.IndexOf(' ', StringComparison.Ordinal) + 1)..])).OrderByDescending(x => direction * x?.Size ?? 0).ToArray();
            return animals is not [{ } first, { } second] || first == second ? null : new PocketTask
            {
                Answer = Answers.Of($"the {first.Name}", $"the {first.Name} is {word} than the {second.Name}."),
                Correctness = Checks.Choice(first.Name, [first.Name, second.Name]),
                Topic = w => w == "than" || w == word,
            };
        });
}
