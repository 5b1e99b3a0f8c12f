using System.Text.RegularExpressions;
using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.UltraFeedback;

/// <summary>
/// The rubrics. Farm's own are built in; a folder may replace any of them by a file of the same name. Slots are filled in one pass, so that braces
/// in an instruction or an answer stay what they are.
/// </summary>
public sealed partial class UltraFeedbackTemplates
{
    private static readonly string[] TextSlots = ["instruction", "text_1", "text_2", "text_3", "text_4"];

    private static readonly Dictionary<string, string[]> Slots = new()
    {
        ["instruction_following"] = TextSlots,
        ["honesty"] = TextSlots,
        ["truthfulness_with_answer"] = [.. TextSlots, "world_knowledge"],
        ["truthfulness_without_answer"] = TextSlots,
        ["helpfulness_with_answer"] = [.. TextSlots, "world_knowledge"],
        ["helpfulness_without_answer"] = TextSlots,
        ["feedback"] = ["instruction", "completion"],
        ["feedback_system"] = [],
        ["system"] = [],
    };

    private readonly Dictionary<string, string> _texts;

    private UltraFeedbackTemplates(Dictionary<string, string> texts) => _texts = texts;

    /// <summary>Texts that a rubric shows.</summary>
    public const int TextsShown = 4;

    /// <summary>Names of the templates; each is the name of a .txt file in a user's folder.</summary>
    public static IReadOnlyCollection<string> Names => Slots.Keys;

    /// <summary>Farm's own.</summary>
    public static UltraFeedbackTemplates BuiltIn { get; } = new(Slots.Keys.ToDictionary(n => n, BuiltInText));

    /// <summary>Farm's own, but for those that a folder has.</summary>
    /// <exception cref="BadInputException">The folder has none, or one lacks a slot or has an unknown one.</exception>
    public static UltraFeedbackTemplates Load(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new BadInputException($"{folder} is no folder of templates: it does not exist.");
        }

        var texts = new Dictionary<string, string>(BuiltIn._texts);
        bool any = false;
        foreach (var (name, slots) in Slots)
        {
            string path = Path.Combine(folder, name + ".txt");
            if (File.Exists(path))
            {
                any = true;
                texts[name] = Checked(path, RowFile.ReadText(path).ReplaceLineEndings("\n"), slots);
            }
        }

        return any ? new UltraFeedbackTemplates(texts) : throw new BadInputException($"{folder} has no template; their names are {string.Join(", ", Slots.Keys.Select(n => n + ".txt"))}.");
    }

    /// <summary>The system message of aspect requests.</summary>
    public string System => _texts["system"].Trim();

    /// <summary>The system message of critiques.</summary>
    public string FeedbackSystem => _texts["feedback_system"].Trim();

    /// <summary>The request for one aspect.</summary>
    /// <param name="aspect">The aspect.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="texts">The four texts in shown order.</param>
    /// <param name="knowledge">What is known of the answer.</param>
    public string ForAspect(Aspect aspect, string instruction, IReadOnlyList<string> texts, WorldKnowledge knowledge)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(knowledge);
        string name = aspect.HasTypes() ? $"{aspect.Name()}_{(knowledge.HasAnswer ? "with" : "without")}_answer" : aspect.Name();
        var values = new Dictionary<string, string> { ["instruction"] = instruction, ["world_knowledge"] = knowledge.Text };
        for (int i = 0; i < TextsShown; i++)
        {
            values[$"text_{i + 1}"] = texts[i];
        }

        return Fill(_texts[name], values);
    }

    /// <summary>The request for a critique.</summary>
    public string ForFeedback(string instruction, string completion) => Fill(_texts["feedback"], new() { ["instruction"] = instruction, ["completion"] = completion });

    private static string Fill(string template, Dictionary<string, string> values) =>
        Slot().Replace(template, m => values.TryGetValue(m.Groups[1].Value, out string? value) ? value : m.Value);

    private static string Checked(string path, string text, string[] slots)
    {
        string[] found = [.. Slot().Matches(text).Select(m => m.Groups[1].Value)];
        foreach (string slot in slots)
        {
            int n = found.Count(f => f == slot);
            if (n != 1)
            {
                throw new BadInputException($"{path} has the slot {{{slot}}} {(n == 0 ? "nowhere" : $"{n} times")}; it must be there once.");
            }
        }

        return found.FirstOrDefault(f => !slots.Contains(f)) is { } unknown
            ? throw new BadInputException($"{path} has the slot {{{unknown}}}, which this template does not have; its slots are {(slots.Length == 0 ? "none" : string.Join(", ", slots.Select(s => $"{{{s}}}")))}.")
            : text;
    }

    private static string BuiltInText(string name)
    {
        using var stream = typeof(UltraFeedbackTemplates).Assembly.GetManifestResourceStream($"ultrafeedback/{name}.txt")
            ?? throw new InvalidOperationException($"The template {name} is not in this build.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"\{([a-z_0-9]+)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Slot();
}
