using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;

namespace Farm.Pocket.Kinds;

/// <summary>What is so in the toy world.</summary>
internal static class FactKinds
{
    private static readonly string[] s_homes = [.. Zoo.Select(a => a.Home).Distinct()];

    private static readonly string[] s_sounds = [.. Zoo.Select(a => a.Sound).Where(s => s != "none").Distinct()];

    private static readonly HashSet<string> s_legs = Enumerable.Range(0, 9).Select(Numbers.Word).ToHashSet(StringComparer.Ordinal);

    public static IEnumerable<TaskKind> All =>
    [
        new("can-it", ["Can {a} {verb}?", "Is {a} able to {verb}?", "Does {a} know how to {verb}?", "Yes or no: can {a} {verb}?"],
            d => new Slots(("a", A(d.Pick(Animals))), ("verb", d.Pick(s_abilities))),
            s => Of(s["a"]) is { } x && Able(x, s["verb"]) is { } can ? YesNo(can, $"{A(x.Name)} {(can ? "can" : "cannot")} {s["verb"]}.") : null),
        new("is-it-colour", ["Is {a} {colour}?", "Is {a} usually {colour}?", "Is it true that {a} is {colour}?", "Yes or no: is {a} {colour}?"],
            d =>
            {
                string fruit = d.Pick(Fruits);
                return new Slots(("a", A(fruit)), ("colour", d.Chance(0.4) ? FruitColours[fruit] : d.Pick(Colours)));
            },
            s => FruitColours.TryGetValue(Noun(s["a"]), out string? colour) && Colours.Contains(s["colour"])
                ? YesNo(colour == s["colour"], $"{s["a"]} is {(colour == s["colour"] ? string.Empty : "not ")}{s["colour"]}.")
                : null),
        new("is-it-a", ["Is {a} {b}?", "Is it true that {a} is {b}?", "Yes or no: is {a} {b}?", "Would you call {a} {b}?"],
            d =>
            {
                string word = d.Pick(Nouns.Except(Clothes).ToArray());
                string category = d.Chance(0.5) ? CategoryOf(word)! : d.Pick(CategoryNames.Where(c => c is not ("clothes" or "colours")).ToArray());
                return new Slots(("a", A(word)), ("b", A(Singular(category))));
            },
            s => CategoryOf(Noun(s["a"])) is { } category && CategoryNames.FirstOrDefault(c => A(Singular(c)) == s["b"]) is { } asked
                ? YesNo(category == asked, $"{s["a"]} is {(category == asked ? string.Empty : "not ")}{s["b"]}.")
                : null),
        Fact("sound", ["What sound does {a} make?", "What does {a} say?", "Name the sound of {a}.", "How does {a} sound?", "Which sound would {a} make?"],
            x => x.Sound == "none" ? null : x.Sound, "{1} says {0}.", s_sounds),
        Fact("home", ["Where does {a} live?", "Where would you find {a}?", "Name the home of {a}.", "What is the home of {a}?", "In what place does {a} live?"],
            x => x.Home, "{1} lives in a {0}.", s_homes),
        new("legs", ["How many legs does {a} have?", "Count the legs of {a}.", "How many legs are on {a}?", "Tell me how many legs {a} has."],
            d => new Slots(("a", A(d.Pick(Animals)))),
            s => Of(s["a"]) is { } x ? new PocketTask
            {
                Answer = Answers.Of(Numbers.Word(x.Legs), $"{A(x.Name)} has {{0}} legs."),
                Correctness = Checks.Number(x.Legs),
                Topic = s_legs.Contains,
            } : null),
        new("fruit-colour", ["What colour is {a}?", "Which colour does {a} have?", "Name the colour of {a}.", "Fill in the blank: the colour of {a} is ___."],
            d => new Slots(("a", A(d.Pick(Fruits)))),
            s => FruitColours.TryGetValue(Noun(s["a"]), out string? colour) ? One(colour, s["a"], "{1} is {0}.", Colours) : null),
        new("fill-blank", ["Fill in the blank.", "Complete the sentence with one word.", "What is the missing word?", "Write the word that is missing."],
            d =>
            {
                var animal = d.Pick(Zoo.Where(a => a.Sound != "none").ToArray());
                string fruit = d.Pick(Fruits), who = d.Pick(Names), when = d.Pick(["Today", "Here", "Often"]);
                return new Slots(("input", d.Pick([$"{when} {who} sees {A(fruit)} that is ___.", $"{when} {who} hears {A(animal.Name)} that says ___.", $"{who} says that the home of {A(animal.Name)} is a ___."])));
            },
            s => Blank(s.InputWords.Select(w => w.ToLowerInvariant()).ToArray())),
    ];

    private static readonly string[] s_abilities = ["fly", "swim", "walk", "read"];

    private static string Noun(string phrase) => phrase[(phrase.IndexOf(' ', StringComparison.Ordinal) + 1)..];

    private static Animal? Of(string phrase) => Find(Noun(phrase));

    private static bool? Able(Animal animal, string verb) => verb switch
    {
        "fly" => animal.Flies,
        "swim" => animal.Swims,
        "walk" => animal.Legs > 0,
        "read" => false,
        _ => null,
    };

    private static PocketTask YesNo(bool answer, string fact) => new()
    {
        Answer = Answers.Of(answer ? "yes" : "no", answer ? $"yes, {fact}" : $"no, {fact}"),
        Correctness = Checks.YesNo(answer),
        Topic = w => w is "yes" or "no",
    };

    private static TaskKind Fact(string name, string[] phrasings, Func<Animal, string?> fact, string form, string[] others) => new(name, phrasings,
        d => new Slots(("a", A(d.Pick(Zoo.Where(x => fact(x) is not null).ToArray()).Name))),
        s => Of(s["a"]) is { } animal && fact(animal) is { } answer ? One(answer, A(animal.Name), form, others) : null);

    private static PocketTask One(string answer, string subject, string form, string[] others) => new()
    {
        Answer = Answers.Of(answer, form.Replace("{1}", subject, StringComparison.Ordinal)),
        Correctness = r => !r.Says(answer) ? 0 : r.Lower.Where(others.Contains).Distinct().Count() == 1 ? 1 : 0.4,
        Topic = w => w is "lives" or "says",
    };

    private static PocketTask? Blank(string[] words) =>
        words.Contains("___") is false ? null
        : words.FirstOrDefault(FruitColours.ContainsKey) is { } fruit ? One(FruitColours[fruit], fruit, "the {1} is {0}.", Colours)
        : words.FirstOrDefault(Animals.Contains) is not { } animal ? null
        : words.Contains("home") ? One(Find(animal)!.Home, animal, "the home of the {1} is a {0}.", s_homes)
        : Find(animal)!.Sound is "none" ? null : One(Find(animal)!.Sound, animal, "the {1} says {0}.", s_sounds);
}
