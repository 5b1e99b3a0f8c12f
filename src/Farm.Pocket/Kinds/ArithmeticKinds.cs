using Farm.Pocket.Lexicon;
using Farm.Pocket.Tasks;

namespace Farm.Pocket.Kinds;

/// <summary>Small sums, in words and in digits.</summary>
internal static class ArithmeticKinds
{
    private static readonly HashSet<string> s_words = Enumerable.Range(0, 100).SelectMany(n => Numbers.Word(n).Split('-')).ToHashSet(StringComparer.Ordinal);

    public static IEnumerable<TaskKind> All =>
    [
        Pair("add", ["What is {a} plus {b}?", "Add {a} and {b}.", "How much is {a} plus {b}?", "What do you get if you add {b} to {a}?", "Work out {a} plus {b}."],
            d => (d.Between(1, 12), d.Between(1, 12)), (a, b) => a + b, "{1} plus {2} is {0}."),
        Pair("subtract", ["What is {a} minus {b}?", "Take {b} away from {a}.", "How much is {a} minus {b}?", "Subtract {b} from {a}."],
            d => { int b = d.Between(1, 10); return (b + d.Between(0, 10), b); }, (a, b) => a - b, "{1} minus {2} is {0}."),
        Pair("multiply", ["What is {a} times {b}?", "Multiply {a} by {b}.", "How much is {a} times {b}?"],
            d => (d.Between(2, 6), d.Between(2, 6)), (a, b) => a * b, "{1} times {2} is {0}."),
        Pair("more-than", ["Which number is bigger, {a} or {b}?", "Which is more, {a} or {b}?", "Tell me the larger number: {a} or {b}."],
            Unequal, Math.Max, "the bigger number is {0}."),
        new("is-more", ["Is {a} more than {b}?", "Is {a} a bigger number than {b}?", "Is it true that {a} is more than {b}?"],
            d => { var (a, b) = Unequal(d); return Two(a, b); },
            s => Read(s) is var (a, b) && a != b ? new PocketTask
            {
                Answer = Answers.Of(a > b ? "yes" : "no", a > b ? $"yes, {Numbers.Word(a)} is more than {Numbers.Word(b)}." : $"no, {Numbers.Word(a)} is not more than {Numbers.Word(b)}."),
                Correctness = Checks.YesNo(a > b),
                Topic = w => w is "yes" or "no",
            } : null),
        new("sequence", ["Complete the sequence.", "What number comes next?", "Continue the row with one number.", "Which number follows?"],
            d =>
            {
                int step = d.Between(1, 5), start = d.Between(1, 20);
                return new Slots(("input", string.Join(", ", Enumerable.Range(0, 4).Select(i => start + (i * step)))));
            },
            s => Numbers.In(s.InputList) is { Count: 4 } v ? Single((2 * v[3]) - v[2], "the next number is {0}.", [.. v]) : null),
        new("double", ["What is twice {a}?", "Double the number {a}.", "What is two times the number {a}?", "Say the double of {a}."],
            d => new Slots(("a", Numbers.Word(d.Between(2, 40)))),
            s => Numbers.Parse(s["a"]) is { } a && a < 50 ? Single(2 * a, "twice {1} is {0}.", a) : null),
        new("number-to-digits", ["Write {a} in digits.", "Write the number {a} with digits.", "How do you write {a} in digits?", "Turn {a} into digits."],
            d => new Slots(("a", Numbers.Word(d.Between(1, 99)))),
            s => Numbers.Parse(s["a"]) is { } a ? new PocketTask { Answer = Answers.Of($"{a}"), Correctness = r => r.Words.Any(w => char.IsAsciiDigit(w[0])) ? Checks.Number(a)(r) : 0 } : null),
    ];

    private static (int A, int B) Unequal(Draws d)
    {
        int a = d.Between(1, 60), b = d.Between(1, 59);
        return (a, b < a ? b : b + 1);
    }

    private static Slots Two(int a, int b) => new(("a", Numbers.Word(a)), ("b", Numbers.Word(b)));

    private static (int A, int B)? Read(Slots s) => Numbers.Parse(s["a"]) is { } a && Numbers.Parse(s["b"]) is { } b ? (a, b) : null;

    private static TaskKind Pair(string name, string[] phrasings, Func<Draws, (int A, int B)> draw, Func<int, int, int> solve, string form) =>
        new(name, phrasings, d => { var (a, b) = draw(d); return Two(a, b); }, s => Read(s) is var (a, b) && solve(a, b) is >= 0 and < 100 and var c ? Single(c, form, a, b) : null);

    private static PocketTask Single(int answer, string form, params int[] given)
    {
        string text = form;
        for (int i = 0; i < given.Length; i++)
        {
            text = text.Replace($"{{{i + 1}}}", given[i] < 100 ? Numbers.Word(given[i]) : $"{given[i]}", StringComparison.Ordinal);
        }

        return new PocketTask
        {
            Answer = Answers.Of(answer < 100 ? Numbers.Word(answer) : $"{answer}", text),
            Correctness = Checks.Number(answer, given),
            Topic = w => s_words.Contains(w) || w == $"{answer}",
        };
    }
}
