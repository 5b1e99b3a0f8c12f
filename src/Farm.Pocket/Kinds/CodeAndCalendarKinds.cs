using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;
using static Farm.Pocket.Lexicon.Vocabulary;

namespace Farm.Pocket.Kinds;

/// <summary>The secret code of the toy world, days and months.</summary>
internal static class CodeAndCalendarKinds
{
    private static readonly string[] s_adjectives = ["zib", "mok", "tas"], s_nouns = ["lun", "dor", "fip", "gat", "hob", "wex"], s_verbs = ["nul", "rav", "kel"];

    private static readonly HashSet<string> s_topic = Code.SelectMany(p => new[] { p.Key, p.Value }).ToHashSet(StringComparer.Ordinal);

    public static IEnumerable<TaskKind> All =>
    [
        new("decode", ["Translate the code words into English.", "What do these code words mean?", "Decode the words.", "Write the code in English."],
            d => new Slots(("input", string.Join(' ', Phrase(d)))),
            s => Translate(s, w => Code.GetValueOrDefault(w))),
        new("encode", ["Translate the words into the code.", "Write these words in code.", "Encode the words.", "Turn the English words into code words."],
            d => new Slots(("input", string.Join(' ', Phrase(d).Select(w => Code[w])))),
            s => Translate(s, w => KeyOf(Code, w))),
        new("day-after", ["What day comes {n} {unit} after {day}?", "Today is {day}. What day is it in {n} {unit}?", "Which day is {n} {unit} after {day}?"],
            d => Shift(d, Days, "day", 5), s => Shifted(s, Days, "day", 1)),
        new("day-before", ["What day comes {n} {unit} before {day}?", "Today is {day}. What day was it {n} {unit} ago?", "Which day is {n} {unit} before {day}?"],
            d => Shift(d, Days, "day", 5), s => Shifted(s, Days, "day", -1)),
        new("month-after", ["What month comes {n} {unit} after {day}?", "It is {day}. What month is it in {n} {unit}?", "Which month is {n} {unit} after {day}?"],
            d => Shift(d, Months, "month", 4), s => Shifted(s, Months, "month", 1)),
        new("month-before", ["What month comes {n} {unit} before {day}?", "It is {day}. What month was it {n} {unit} ago?", "Which month is {n} {unit} before {day}?"],
            d => Shift(d, Months, "month", 4), s => Shifted(s, Months, "month", -1)),
    ];

    private static string[] Phrase(Draws d) => d.Below(3) switch
    {
        0 => [d.Pick(s_adjectives), d.Pick(s_nouns)],
        1 => [d.Pick(s_nouns), d.Pick(s_verbs), d.Pick(s_nouns)],
        _ => [d.Pick(s_adjectives), d.Pick(s_nouns), d.Pick(s_verbs), d.Pick(s_nouns)],
    };

    private static PocketTask? Translate(Slots slots, Func<string, string?> word)
    {
        string?[] words = [.. slots.Input.Split(' ').Select(word)];
        if (words.Contains(null))
        {
            return null;
        }

        return new PocketTask
        {
            Answer = Answers.Of(string.Join(' ', words)),
            Correctness = Checks.Ordered([.. words.Select(w => w!)]),
            Constraint = r => Checks.Near(r.Words.Count, words.Length),
            Topic = s_topic.Contains,
        };
    }

    private static Slots Shift(Draws d, string[] names, string unit, int most)
    {
        int n = d.Between(1, most);
        return new Slots(("n", Numbers.Word(n)), ("unit", n == 1 ? unit : unit + "s"), ("day", d.Pick(names)));
    }

    private static PocketTask? Shifted(Slots slots, string[] names, string unit, int direction)
    {
        int at = Array.IndexOf(names, slots["day"]);
        if (at < 0 || !slots["unit"].StartsWith(unit, StringComparison.Ordinal) || Numbers.Parse(slots["n"]) is not { } n)
        {
            return null;
        }

        string answer = names[(((at + (direction * n)) % names.Length) + names.Length) % names.Length];
        var others = names.Where(x => x != slots["day"] && x != answer).Select(x => x.ToLowerInvariant()).ToHashSet(StringComparer.Ordinal);
        return new PocketTask
        {
            Answer = Answers.Of(answer, $"the {unit} is {{0}}.", $"it is {{0}}."),
            Correctness = r => !r.Says(answer.ToLowerInvariant()) ? 0 : r.Lower.Any(others.Contains) ? 0.4 : 1,
        };
    }
}
