using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Things;
using static Farm.Pocket.Lexicon.Vocabulary;

namespace Farm.Pocket.Kinds;

/// <summary>Rewriting the text of the input, and finding things in it.</summary>
internal static class TextKinds
{
    private static readonly string[] s_stories = ["Today {0} bought {1} {2}.", "{0} saw {1} {2} in the park.", "In the shop {0} found {1} {2}."];

    public static IEnumerable<TaskKind> All =>
    [
        Rewrite("upper-case", ["Write the text in capital letters.", "Change the text to upper case.", "Rewrite this in all capitals."], d => Plain(d).ToLowerInvariant(), t => t.ToUpperInvariant()),
        Rewrite("lower-case", ["Write the text in small letters.", "Change the text to lower case.", "Rewrite this without capital letters."], d => Plain(d).ToUpperInvariant(), t => t.ToLowerInvariant()),
        Rewrite("copy", ["Copy the sentence.", "Write the same sentence again.", "Repeat the sentence."], d => Plain(d) + ".", t => t),
        Rewrite("shorten", ["Shorten the sentence by leaving out the adjective.", "Make the sentence shorter: drop the describing word.", "Remove the adjective from the sentence."],
            d => Scene(d), t => Adjectives.Any(a => Has(t, a)) ? Drop(t, Adjectives) : null),
        Rewrite("past-sentence", ["Rewrite the sentence in the past tense.", "Say that this was so yesterday: use was.", "Change is to was in the sentence."],
            d => $"{d.Pick(Names)} is in the {d.Pick(Places)} with {A(d.Pick(Nouns))}.", t => Has(t, "is") ? t.Replace(" is ", " was ", StringComparison.Ordinal) : null),
        new("replace-word", ["Replace the word {old} with {new}.", "Change {old} to {new} in the sentence.", "Write {new} instead of {old}."],
            d => { string[] c = d.Some(Colours, 2); return new Slots(("old", c[0]), ("new", c[1]), ("input", $"{d.Pick(Names)} has a {c[0]} {d.Pick(Clothes)}.")); },
            s => Has(s.Input, s["old"]) ? Written(s.Input.Replace($" {s["old"]} ", $" {s["new"]} ", StringComparison.Ordinal)) : null),
        Find("first-word", ["What is the first word of the sentence?", "Write the first word.", "Which word comes first?"], d => d.Below(3) switch { 0 => Scene(d), 1 => Told(d), _ => Plain(d) + "." }, s => s.InputWords[0], "the first word is {0}."),
        Find("last-word", ["What is the last word of the sentence?", "Write the last word.", "Which word comes last?"], Scene, s => s.InputWords[^1], "the last word is {0}."),
        Find("extract-name", ["Who is the sentence about?", "Find the name in the sentence.", "Which person is named in the text?"], d => Told(d), s => s.InputWords.FirstOrDefault(Names.Contains), "the name is {0}."),
        Find("extract-number", ["Which number is in the sentence?", "Find the number in the text.", "Take the number out of the sentence."], d => Told(d),
            s => s.InputWords.FirstOrDefault(w => w.All(char.IsAsciiDigit)), "the number is {0}."),
        Find("extract-colour", ["Which colour is in the sentence?", "Find the colour in the text.", "What colour does the sentence name?"], d => $"{d.Pick(Names)} has a {d.Pick(Colours)} {d.Pick(Clothes)} and {A(d.Pick(Fruits))}.",
            s => s.InputWords.FirstOrDefault(Colours.Contains), "the colour is {0}."),
        Find("who-has", ["Who has the {thing}?", "Which person has the {thing}?", "Tell me who has the {thing}."], null, s =>
        {
            int at = Array.IndexOf(s.InputWords, s["thing"]);
            return at < 3 ? null : s.InputWords[at - 3];
        }, "{0} has it.", Owners),
        new("count-words", ["How many words are in the sentence?", "Count the words of the sentence.", "How many words does the text have?"],
            d => new Slots(("input", d.Chance(0.5) ? Scene(d) : $"{d.Pick(Names)} {d.Pick(Verbs)}.")),
            s => s.InputWords.Length is > 0 and var n and < 20 ? new PocketTask { Answer = Answers.Of(Numbers.Word(n), "the sentence has {0} words."), Correctness = Checks.Number(n) } : null),
    ];

    private static string Plain(Draws d) => $"{d.Pick(Names)} has {A(d.Pick(Nouns))}";

    private static string Scene(Draws d) => $"The {d.Pick(Adjectives)} {d.Pick(Animals)} {d.Pick(Verbs)} in the {d.Pick(Places)}.";

    private static string Told(Draws d) => d.Pick(s_stories)
        .Replace("{0}", d.Pick(Names), StringComparison.Ordinal).Replace("{1}", $"{d.Between(2, 30)}", StringComparison.Ordinal).Replace("{2}", Plural(d.Pick(Nouns)), StringComparison.Ordinal);

    private static Slots Owners(Draws d)
    {
        string[] who = d.Some(Names, 2), things = d.Some(Clothes, 2);
        return new Slots(("thing", d.Pick(things)), ("input", $"{who[0]} has a {things[0]}. {who[1]} has a {things[1]}."));
    }

    private static bool Has(string text, string word) => text.Contains($" {word} ", StringComparison.Ordinal);

    private static string Drop(string text, string[] words) => words.Aggregate(text, (t, w) => t.Replace($" {w} ", " ", StringComparison.Ordinal));

    private static PocketTask Written(string answer) => new() { Answer = Answers.Exactly(answer), Correctness = Checks.Written(answer), Bare = true };

    private static TaskKind Rewrite(string name, string[] phrasings, Func<Draws, string> draw, Func<string, string?> solve) =>
        new(name, phrasings, d => new Slots(("input", draw(d))), s => s.InputWords.Length > 0 && solve(s.Input) is { Length: > 0 } answer ? Written(answer) : null);

    private static TaskKind Find(string name, string[] phrasings, Func<Draws, string>? draw, Func<Slots, string?> solve, string form, Func<Draws, Slots>? slots = null) =>
        new(name, phrasings, slots ?? (d => new Slots(("input", draw!(d)))), s =>
        {
            string? answer = s.InputWords.Length > 0 ? solve(s) : null;
            string wanted = answer?.ToLowerInvariant() ?? string.Empty;
            string[] options = [.. s.InputWords.Select(w => w.ToLowerInvariant()).Where(w => w == wanted || !FunctionWords.All.Contains(w))];
            return answer is null ? null : new PocketTask
            {
                Answer = Answers.Of(answer, form),
                Correctness = FunctionWords.All.Contains(wanted) ? r => Article(r, wanted, options) : Checks.Choice(wanted, options),
            };
        });

    // Where the answer is itself a word without content ("The"), it must be all that is said of the input, after such words as "the first word is".
    private static double Article(Response response, string answer, string[] options) =>
        response.Lower.Count > 0 && response.Lower[^1] == answer && !response.Lower.Any(w => w != answer && options.Contains(w)) ? 1 : 0;
}
