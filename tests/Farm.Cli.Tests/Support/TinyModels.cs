using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Cli.Tests.Support;

/// <summary>A decoder and a reward model of a few thousand random weights, with a tokenizer of single bytes.</summary>
public sealed class TinyModels : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public TinyModels()
    {
        Decoder = _folder.File("decoder");
        Scorer = _folder.File("scorer");
        WithoutTokenizer = _folder.File("plain");
        RandomCheckpoint.Write(Decoder, Config, seed: 1, DType.F32);
        RandomCheckpoint.WriteReward(Scorer, Config, seed: 2, DType.F32);
        RandomCheckpoint.Write(WithoutTokenizer, Config, seed: 1, DType.F32);
        WriteTokenizer(Decoder);
        WriteTokenizer(Scorer);
    }

    public string Decoder { get; }

    public string Scorer { get; }

    /// <summary>The decoder's folder without its tokenizer.</summary>
    public string WithoutTokenizer { get; }

    private static ModelConfig Config => new()
    {
        VocabularySize = 258,
        HiddenSize = 64,
        IntermediateSize = 128,
        Layers = 2,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 16,
        MaxPositionEmbeddings = 512,
        BosId = 256,
        EosIds = [257],
    };

    public void Dispose() => _folder.Dispose();

    /// <summary>A byte-level tokenizer.json without merges: 256 bytes, then BOS and EOS.</summary>
    public static void WriteTokenizer(string folder, int firstSpecialId = 256)
    {
        var vocabulary = new JsonObject();
        foreach (var (text, id) in ByteLetters().Select((t, i) => (t, i)))
        {
            vocabulary[text] = id;
        }

        var tokenizer = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray(Special(firstSpecialId, "<s>"), Special(firstSpecialId + 1, "</s>")),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(
                    new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = "<s>", ["type_id"] = 0 } },
                    new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } }),
                ["pair"] = new JsonArray(),
                ["special_tokens"] = new JsonObject
                {
                    ["<s>"] = new JsonObject { ["id"] = "<s>", ["ids"] = new JsonArray(firstSpecialId), ["tokens"] = new JsonArray("<s>") },
                },
            },
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray(),
            },
        };
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJsonString());
        File.WriteAllText(
            Path.Combine(folder, "tokenizer_config.json"),
            JsonSerializer.Serialize(new { bos_token = "<s>", eos_token = "</s>", model_max_length = 512, tokenizer_class = "PreTrainedTokenizerFast" }));
    }

    private static JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };

    private static JsonObject Special(int id, string text) => new()
    {
        ["id"] = id,
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    /// <summary>The letters by which byte-level vocabularies write bytes: printable bytes as they are, the others from U+0100 on.</summary>
    private static IEnumerable<string> ByteLetters()
    {
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
            yield return ((char)(printable ? value : next++)).ToString();
        }
    }
}
