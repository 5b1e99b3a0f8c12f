using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;

namespace Farm.Pocket.Kinds;

/// <summary>Naming members of categories.</summary>
internal static class ListKinds
{
    public static IEnumerable<TaskKind> All =>
    [
        new("list-members", ["List {n} {category}.", "Name {n} {category}.", "Give me {n} {category}.", "Write down {n} different {category}.", "Can you list {n} {category}?",
                "Tell me the names of {n} {category}.", "I need {n} {category}."],
            d => new Slots(("n", Numbers.Word(d.Between(2, 6))), ("category", d.Pick(CategoryNames))),
            s => Numbers.Parse(s["n"]) is { } n and > 0 and < 10 && Categories.TryGetValue(s["category"], out var set) ? Members(set, n) : null),
        new("list-except", ["List {n} {category} but not {word}.", "Name {n} {category}, not {word}.", "Give me {n} {category} other than {word}.",
                "Write down {n} {category} without {word}."],
            d =>
            {
                string category = d.Pick(CategoryNames);
                return new Slots(("n", Numbers.Word(d.Between(2, 4))), ("category", category), ("word", d.Pick(Categories[category])));
            },
            s => Numbers.Parse(s["n"]) is { } n and > 0 and < 10 && Categories.TryGetValue(s["category"], out var set) && set.Contains(s["word"])
                ? Members([.. set.Where(w => w != s["word"])], n, s["word"])
                : null),
        new("name-by-letter", ["Name {a} that starts with {letter}.", "Give me one word for {a} that begins with {letter}.",
                "Tell me {a} whose name starts with {letter}."],
            d =>
            {
                string category = d.Pick(CategoryNames);
                return new Slots(("a", A(Singular(category))), ("letter", d.Pick(Categories[category])[..1].ToUpperInvariant()));
            },
            s => CategoryNames.FirstOrDefault(c => A(Singular(c)) == s["a"]) is { } category && s["letter"].Length == 1 ? ByLetter(category, s["letter"].ToLowerInvariant()) : null),
        new("category", ["Is {word} an animal, a colour, a fruit, a tool or a vehicle?", "What kind of thing is {word}?", "Which group does the word {word} belong to?",
                "Put the word {word} in a category.", "Name the category of {word}."],
            d => new Slots(("word", d.Pick(Words.Except(Clothes).ToArray()))),
            s => CategoryOf(s["word"]) is { } category and not "clothes" ? Category(s["word"], category) : null),
    ];

    private static PocketTask Members(string[] set, int count, string? forbidden = null) => new()
    {
        Answer = d => Answers.Sentence(Answers.Join(d.Some(set, count)) + "."),
        Correctness = r => Checks.Members(set, count)(r) * (forbidden is not null && r.Says(forbidden) ? 0.4 : 1),
        Constraint = r => Checks.Near(r.Lower.Count(w => w != "and"), count),
        Topic = w => set.Contains(w),
    };

    private static PocketTask? ByLetter(string category, string letter)
    {
        string[] right = [.. Categories[category].Where(w => w.StartsWith(letter, StringComparison.Ordinal))];
        return right.Length == 0 ? null : new PocketTask
        {
            Answer = d => Answers.Of(d.Pick(right))(d),
            Correctness = Checks.Members(right, 1),
            Constraint = r => Checks.Near(r.Lower.Count(Categories[category].Contains), 1),
            Topic = w => right.Contains(w),
        };
    }

    private static PocketTask Category(string word, string category)
    {
        string name = Singular(category);
        string[] others = [.. CategoryNames.Where(c => c != category).Select(Singular)];
        return new PocketTask
        {
            Answer = Answers.Of(A(name), $"{word} is {A(name)}.", $"it is {A(name)}."),
            Correctness = r => !r.Says(name) && !r.Says(category) ? 0 : others.Any(r.Says) ? 0.4 : 1,
        };
    }
}
