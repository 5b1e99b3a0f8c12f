using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;
using static Farm.Pocket.Lexicon.Vocabulary;

namespace Farm.Pocket.Kinds;

/// <summary>Grammar and spelling of single words.</summary>
internal static class WordKinds
{
    private static readonly string[] s_verbs = [.. Past.Keys], s_adjectives = [.. Opposites.Keys];

    public static IEnumerable<TaskKind> All =>
    [
        On("plural", ["What is the plural of {word}?", "Write the plural of the word {word}.", "Give the plural form of {word}.", "One {word}, two what?"], Nouns,
            w => Nouns.Contains(w) ? Single(Plural(w), w, "the plural of {1} is {0}.") : null),
        On("past-tense", ["What is the past tense of {word}?", "Write the past tense of the verb {word}.", "Put the verb {word} in the past tense.",
                "Today I {word}. What do I say about yesterday?"], s_verbs,
            w => Past.TryGetValue(w, out string? past) ? Single(past, w, "the past tense of {1} is {0}.") : null),
        On("opposite", ["What is the opposite of {word}?", "Name the opposite of {word}.", "Give a word that means the opposite of {word}.", "What is not {word}, but the reverse?"],
            s_adjectives, w => Opposites.TryGetValue(w, out string? other) ? Single(other, w, "the opposite of {1} is {0}.") : null),
        On("count-letters", ["How many letters are in the word {word}?", "Count the letters of {word}.", "How long is the word {word} in letters?", "Tell me how many letters {word} has."], Words,
            w => Words.Contains(w) ? new PocketTask
            {
                Answer = Answers.Of(Numbers.Word(w.Length), $"the word {w} has {Numbers.Word(w.Length)} letters."),
                Correctness = Checks.Number(w.Length),
            } : null),
        On("first-letter", ["What is the first letter of {word}?", "Which letter does {word} start with?", "Say the first letter of the word {word}."], Words,
            w => Words.Contains(w) ? Letter(w[..1], "first") : null),
        On("last-letter", ["What is the last letter of {word}?", "Which letter does {word} end with?", "Say the last letter of the word {word}."], Words,
            w => Words.Contains(w) ? Letter(w[^1..], "last") : null),
        On("spell", ["Spell the word {word}.", "How do you spell {word}?", "Write {word} letter by letter.", "Spell {word} for me."], Words,
            w => Words.Contains(w) ? new PocketTask
            {
                Answer = Answers.Exactly(string.Join('-', w.ToUpperInvariant().ToCharArray())),
                Correctness = Checks.Ordered([.. w.Select(c => $"{c}")]),
                Bare = true,
            } : null),
        new("repeat", ["Write the word {word} {n} times.", "Repeat the word {word} {n} times.", "Say {word} {n} times."],
            d => new Slots(("word", d.Pick(Words)), ("n", Numbers.Word(d.Between(2, 5)))),
            s => Words.Contains(s["word"]) && Numbers.Parse(s["n"]) is { } n and > 1 and < 10 ? new PocketTask
            {
                Answer = Answers.Exactly(string.Join(' ', Enumerable.Repeat(s["word"], n))),
                Correctness = Checks.Ordered([.. Enumerable.Repeat(s["word"], n)]),
                Constraint = r => Checks.Near(r.Words.Count, n),
                Bare = true,
            } : null),
    ];

    private static TaskKind On(string name, string[] phrasings, string[] words, Func<string, PocketTask?> solve) =>
        new(name, phrasings, d => new Slots(("word", d.Pick(words))), s => solve(s["word"]));

    private static PocketTask Single(string answer, string word, string form) => new()
    {
        Answer = Answers.Of(answer, form.Replace("{1}", word, StringComparison.Ordinal)),
        Correctness = answer == word ? r => r.Lower.All(w => w == word || w == "plural" || FunctionWords.All.Contains(w)) && r.Says(word) ? 1 : 0 : Checks.Word(answer, $"{word} plural past tense verb opposite"),
    };

    // The article "a" may also be the letter: what counts is the last single letter said.
    private static PocketTask Letter(string letter, string place) => new()
    {
        Answer = Answers.Of(letter.ToUpperInvariant(), $"the {place} letter is {letter.ToUpperInvariant()}."),
        Correctness = r => r.Lower.LastOrDefault(w => w.Length == 1) == letter ? 1 : 0,
        Constraint = r => r.Lower.Count(w => w.Length == 1) == 1 ? 1 : 0.5,
    };
}
