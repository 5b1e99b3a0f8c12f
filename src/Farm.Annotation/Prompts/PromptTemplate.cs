using System.Text.RegularExpressions;
using Farm.Core;

namespace Farm.Annotation.Prompts;

/// <summary>
/// A judge's prompt with slots such as <c>{instruction}</c>, <c>{output_1}</c> and <c>{output_2}</c>, each once for every example of a
/// batch. Filling is alpaca_eval's, to the letter: slot after slot in the order of their first appearance, each time the first occurrence in
/// the text so far, so that a slot's name inside an instruction is filled too.
/// </summary>
public sealed partial class PromptTemplate
{
    private static readonly string[] s_columns = ["instruction", "input", "output_1", "output_2", "annotator"];

    private PromptTemplate(string text, IReadOnlyList<string> slots, int batchSize) => (Text, Slots, BatchSize) = (text, slots, batchSize);

    /// <summary>The text with its slots.</summary>
    public string Text { get; }

    /// <summary>The slots' names in the order of their first appearance.</summary>
    public IReadOnlyList<string> Slots { get; }

    /// <summary>Examples in the prompt.</summary>
    public int BatchSize { get; }

    /// <summary>Checks the slots of a text.</summary>
    /// <param name="path">The file, for messages.</param>
    /// <param name="text">The text; line ends are <c>\n</c>.</param>
    /// <param name="batchSize">How often each slot must occur.</param>
    /// <exception cref="BadInputException">A slot occurs another number of times, is unknown, or one of the outputs has none.</exception>
    public static PromptTemplate Create(string path, string text, int batchSize)
    {
        ArgumentNullException.ThrowIfNull(text);
        var counts = new OrderedDictionary<string, int>();
        foreach (Match match in Slot().Matches(text))
        {
            string name = match.Groups[1].Value;
            counts[name] = counts.GetValueOrDefault(name) + 1;
        }

        foreach (var (name, count) in counts)
        {
            if (!s_columns.Contains(name))
            {
                throw new BadInputException($"{path}: the slot {{{name}}} is unknown; a row has {string.Join(", ", s_columns)}.");
            }

            if (count != batchSize)
            {
                throw new BadInputException($"{path}: the slot {{{name}}} occurs {Times(count)} where batch_size {batchSize} needs it {Times(batchSize)}.");
            }
        }

        foreach (string output in new[] { "output_1", "output_2" })
        {
            if (!counts.ContainsKey(output))
            {
                throw new BadInputException($"{path}: the slot {{{output}}} occurs 0 times where batch_size {batchSize} needs it {Times(batchSize)}.");
            }
        }

        return new PromptTemplate(text, [.. counts.Keys], batchSize);
    }

    /// <summary>The prompt of a batch.</summary>
    /// <param name="examples">For each example the text of a slot by its name.</param>
    public string Fill(IReadOnlyList<Func<string, string>> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        string text = Text;
        foreach (var example in examples)
        {
            foreach (string slot in Slots)
            {
                string name = $"{{{slot}}}";
                int at = text.IndexOf(name, StringComparison.Ordinal);
                if (at >= 0)
                {
                    text = string.Concat(text.AsSpan(0, at), example(slot), text.AsSpan(at + name.Length));
                }
            }
        }

        return text;
    }

    private static string Times(int count) => count == 1 ? "once" : $"{count} times";

    [GeneratedRegex(@"\{([^ \s]+?)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Slot();
}
