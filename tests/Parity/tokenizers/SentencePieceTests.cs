using System.Text;
using Farm.Models.Tokenizers;
using Farm.Models.Tokenizers.SentencePiece;

namespace Parity.Tokenizers;

/// <summary>tokenizer.model against the SentencePiece library's own programs, with vocabularies trained for the purpose.</summary>
public class SentencePieceTests
{
    [Theory]
    [InlineData("llama", 10_000, "--model_type=bpe --byte_fallback=true --normalization_rule_name=identity --split_digits=true --remove_extra_whitespaces=false --allow_whitespace_only_pieces=true --vocab_size=1500")]
    [InlineData("bpe-nfkc", 4_000, "--model_type=bpe --normalization_rule_name=nmt_nfkc --vocab_size=1500")]
    [InlineData("bpe-cf", 4_000, "--model_type=bpe --normalization_rule_name=nmt_nfkc_cf --byte_fallback=true --vocab_size=1200 --user_defined_symbols=[INST],strasse,▁▁ --control_symbols=<|im_start|>")]
    [InlineData("bpe-phrases", 2_000, "--model_type=bpe --split_by_whitespace=false --byte_fallback=true --vocab_size=1200 --add_dummy_prefix=false")]
    [InlineData("bpe-suffix", 2_000, "--model_type=bpe --treat_whitespace_as_suffix=true --vocab_size=1200")]
    [InlineData("unigram-nfkc", 4_000, "--model_type=unigram --normalization_rule_name=nmt_nfkc --vocab_size=900")]
    [InlineData("unigram-fallback", 4_000, "--model_type=unigram --normalization_rule_name=nfkc --byte_fallback=true --vocab_size=900 --user_defined_symbols=[INST],ab")]
    public void Ids_and_texts_equal_those_of_the_library(string name, int lines, string options)
    {
        var folder = Tool.Scratch("spm-" + name);
        var corpus = Path.Combine(folder, "corpus.txt");
        File.WriteAllLines(corpus, LineGenerator.Lines(1_500, seed: 5, specials: false, loneSurrogates: false));
        var prefix = Path.Combine(folder, "tokenizer");
        Tool.SentencePiece("spm_train", [$"--input={corpus}", $"--model_prefix={prefix}", "--hard_vocab_limit=false", "--minloglevel=2", "--character_coverage=0.98", .. options.Split(' ')]);
        AssertEqual(folder, prefix + ".model", lines);
    }

    [Fact]
    public void The_fixture_model_equals_the_library()
    {
        var model = Path.Combine(SharedFolder(), "models", "fixture-sft", "tokenizer.model");
        var folder = Tool.Scratch("spm-fixture");
        File.Copy(model, Path.Combine(folder, "tokenizer.model"));
        AssertEqual(folder, model, 10_000);
    }

    private static void AssertEqual(string folder, string model, int count)
    {
        var lines = LineGenerator.Bytes(count, seed: 3);
        var input = Path.Combine(folder, "lines.txt");
        var output = Path.Combine(folder, "ids.txt");
        using (var file = File.Create(input))
        {
            foreach (var line in lines)
            {
                file.Write(line);
                file.WriteByte((byte)'\n');
            }
        }

        Tool.SentencePiece("spm_encode", $"--model={model}", "--output_format=id", $"--input={input}", $"--output={output}");
        var tokenizer = Assert.IsType<SentencePieceTokenizer>(TokenizerLoader.Load(folder));
        var expected = File.ReadAllLines(output);
        var differences = new List<string>();
        for (var i = 0; i < lines.Count; i++)
        {
            var ids = tokenizer.EncodeUtf8(lines[i]);
            if (string.Join(' ', ids) != expected[i])
            {
                differences.Add($"line {i} '{Encoding.UTF8.GetString(lines[i])}'\n  ours   {string.Join(' ', ids)}\n  theirs {expected[i]}");
            }
        }

        Assert.True(differences.Count == 0, $"{differences.Count} of {lines.Count} lines differ, such as\n{string.Join('\n', differences.Take(5))}");
        AssertDecodes(folder, model, tokenizer, output, expected);
    }

    private static void AssertDecodes(string folder, string model, SentencePieceTokenizer tokenizer, string ids, string[] lines)
    {
        var output = Path.Combine(folder, "texts.txt");
        Tool.SentencePiece("spm_decode", $"--model={model}", "--input_format=id", $"--input={ids}", $"--output={output}");
        var expected = File.ReadAllText(output).Split('\n');
        var unknown = tokenizer.Model.UnknownId;
        for (var i = 0; i < lines.Length; i++)
        {
            int[] line = [.. lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];

            // The library writes a mark of its own for unknown pieces, Hugging Face leaves them out.
            if (!line.Contains(unknown))
            {
                Assert.Equal(expected[i], tokenizer.Decode(line));
            }
        }
    }

    private static string SharedFolder()
    {
        var folder = Environment.GetEnvironmentVariable("FARM_SHARED") ?? Path.Combine(Tool.Repository, "..", "shared");
        return Directory.Exists(folder) ? folder : throw new DirectoryNotFoundException($"{folder} does not exist: set FARM_SHARED to the folder with models/fixture-sft.");
    }
}
