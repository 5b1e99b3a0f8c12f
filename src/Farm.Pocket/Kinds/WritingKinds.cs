using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;

namespace Farm.Pocket.Kinds;

/// <summary>Free writing under constraints: the answer is open, what it must hold is checked.</summary>
internal static class WritingKinds
{
    private static readonly string[] s_times = ["morning", "afternoon", "evening"], s_extras = ["today", "too", "here", "there", "now"];

    private static readonly IReadOnlySet<string> s_topic = Words.Concat(Vocabulary.Adjectives).Concat(Vocabulary.Verbs).Concat(Vocabulary.Places).Concat(s_extras).Concat(s_times)
        .Concat(["dear", "hello", "thank", "thanks", "sorry", "please", "hope", "friend", "lovely", "kind", "help", "late", "sees", "has", "likes", "wants"]).ToHashSet(StringComparer.Ordinal);

    public static IEnumerable<TaskKind> All =>
    [
        new("describe", ["Describe {a} in exactly {k} words.", "Write {k} words about {a}.", "Say something about {a} in {k} words.", "Use exactly {k} words to describe {a}."],
            d => new Slots(("a", A(d.Pick(Nouns))), ("k", Numbers.Word(d.Between(4, 7)))),
            s => Nouns.FirstOrDefault(n => A(n) == s["a"]) is { } noun && Numbers.Parse(s["k"]) is { } k and > 3 and < 8 ? Open(d => Description(d, noun, k), [noun], r => Checks.Near(r.Words.Count, k)) : null),
        new("use-words", ["Write a sentence with the words {x} and {y}.", "Make a sentence that uses {x} and {y}.", "Use the words {x} and {y} in one sentence.", "Write one sentence about {x} and {y}."],
            d => new Slots(("x", d.Pick(Nouns)), ("y", d.Pick(Colours))),
            s => Nouns.Contains(s["x"]) && Colours.Contains(s["y"])
                ? Open(d => $"{d.Pick(Names)} {d.Pick(["has", "sees", "likes", "wants"])} a {s["y"]} {s["x"]}.", [s["x"], s["y"]], r => r.Words.Count is >= 4 and <= 12 ? 1 : 0.5)
                : null),
        new("greet", ["Write a greeting for {name} in the {time}.", "Greet {name}. It is {time}.", "Say good {time} to {name}.", "How do you greet {name} in the {time}?"],
            d => new Slots(("name", d.Pick(Names)), ("time", d.Pick(s_times))),
            s => Names.Contains(s["name"]) && s_times.Contains(s["time"]) ? Open(_ => $"Good {s["time"]}, {s["name"]}!", ["good", s["time"], Lower(s["name"])], Short, 3) : null),
        new("thank", ["Thank {name} for {a}.", "Write a short thank-you note to {name} for {a}.", "Say thank you to {name} for {a}."],
            d => new Slots(("name", d.Pick(Names)), ("a", A(d.Pick(Clothes.Concat(Fruits).ToArray())))),
            s => Names.Contains(s["name"]) && Nouns.FirstOrDefault(n => A(n) == s["a"]) is { } gift
                ? Open(d => d.Pick([$"Thank you for the {gift}, {s["name"]}!", $"Dear {s["name"]}, thank you for the {gift}."]), ["thank", Lower(s["name"]), gift], Short)
                : null),
        new("apologise", ["Tell {name} politely that you are late.", "Apologise to {name} because you are late.", "Write to {name} that you are sorry to be late."],
            d => new Slots(("name", d.Pick(Names))),
            s => Names.Contains(s["name"]) ? Open(d => d.Pick([$"Sorry, {s["name"]}, I am late.", $"I am sorry that I am late, {s["name"]}."]), ["sorry", "late", Lower(s["name"])], Short) : null),
        new("ask-politely", ["Ask {name} politely for {a}.", "Write a polite request to {name} for {a}.", "Politely ask {name} to give you {a}."],
            d => new Slots(("name", d.Pick(Names)), ("a", A(d.Pick(Tools.Concat(Fruits).ToArray())))),
            s => Names.Contains(s["name"]) && Nouns.FirstOrDefault(n => A(n) == s["a"]) is { } thing
                ? Open(_ => $"{s["name"]}, may I have {s["a"]}, please?", ["please", Lower(s["name"]), thing], r => Short(r) * (r.Text.EndsWith('?') ? 1 : 0.5))
                : null),
        new("start-with", ["Write a sentence about {a} that starts with the word {first}.", "Start with {first} and write a sentence about {a}.", "Begin a sentence with {first} and mention {a}."],
            d => new Slots(("a", A(d.Pick(Animals))), ("first", d.Pick(s_first))),
            s => Animals.FirstOrDefault(n => A(n) == s["a"]) is { } animal && s_first.Contains(s["first"])
                ? Open(d => $"{s["first"]} the {animal} {d.Pick(Vocabulary.Verbs)} in the {d.Pick(Vocabulary.Places)}.", [animal, Lower(s["first"])],
                    r => (r.Lower[0] == Lower(s["first"]) ? 1 : 0.3) * (r.Words.Count is >= 4 and <= 12 ? 1 : 0.5))
                : null),
    ];

    private static readonly string[] s_first = ["Today", "Sometimes", "Often", "Now"];

    private static string Lower(string text) => text.ToLowerInvariant();

    private static double Short(Response response) => response.Words.Count is >= 2 and <= 12 ? 1 : 0.5;

    private static string Description(Draws d, string noun, int count)
    {
        string[] adjectives = d.Some(["big", "old", "new", "clean", "strong"], 2);
        return count switch
        {
            4 => $"The {noun} is {adjectives[0]}.",
            5 => $"The {noun} is very {adjectives[0]}.",
            6 => $"The {noun} is {adjectives[0]} and {adjectives[1]}.",
            _ => $"The {noun} is {adjectives[0]} and very {adjectives[1]}.",
        };
    }

    private static PocketTask Open(Func<Draws, string> answer, string[] mentions, Func<Response, double> constraint, int leastWords = 4) => new()
    {
        Answer = answer,
        Correctness = r => Math.Pow(Checks.Mentions(mentions)(r), 2) * (r.Words.Count >= leastWords ? 1 : 0.6) * Variety(r),
        Constraint = constraint,
        Topic = s_topic.Contains,
    };

    // A sentence does not say its words over and over.
    private static double Variety(Response response) => response.Lower.Distinct().Count() / (double)response.Lower.Count > 0.7 ? 1 : 0.5;
}
