using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;
using Farm.Pocket.Tokenizers;

namespace Farm.Pocket.Tests;

public sealed class TokenizerTests : IDisposable
{
    private static readonly Lazy<BpeVocabulary> s_trained = new(PocketWorld.Default.TrainTokenizer);

    private readonly string _folder = Directory.CreateTempSubdirectory("farm-pocket-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Should_load_with_specials_and_BOS_and_turn_texts_round()
    {
        var tokenizer = Load();
        Assert.Equal(PocketWorld.VocabularySize, tokenizer.VocabularySize);
        Assert.Equal((1, 2, 0, PocketWorld.Context), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.ModelMaxLength));
        Assert.Equal([1, .. tokenizer.Encode("Red.", addSpecialTokens: false)], tokenizer.Encode("Red."));
        Assert.Equal(2, tokenizer.Encode("x</s>")[^1]);
        foreach (string text in PocketWorld.Default.Split("eval").SelectMany(r => new[] { PromptDictionary.Default.Format(r.Instruction, r.Input), r.Output })
            .Concat(["", " ", "  two  spaces \n\n and\tlines ", "Grüße, 世界 \ud83d\ude00!", "\0\u0001", "don't we'll 12345"]))
        {
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Should_give_short_prompts_and_responses()
    {
        var tokenizer = Load();
        var rows = PocketWorld.Default.Split("val");
        Assert.All(rows, r => Assert.InRange(tokenizer.Encode(PromptDictionary.Default.Format(r.Instruction, r.Input)).Length, 5, 70));
        Assert.InRange(rows.Average(r => tokenizer.Encode(r.Output, false).Length + 1), 2, 15);
        Assert.InRange(rows.Count(r => tokenizer.Encode(r.Output, false).Length < 25) / (double)rows.Count, 0.9, 1);
    }

    [Fact]
    public void Should_hold_the_fixed_parts_of_a_prompt_in_one_token_each()
    {
        var tokenizer = Load();
        int[] without = tokenizer.Encode(PromptDictionary.Default.Format("x", null)), with = tokenizer.Encode(PromptDictionary.Default.Format("x", "y"));
        int x = tokenizer.Encode("x", false)[0], y = tokenizer.Encode("y", false)[0];
        Assert.Equal([1, without[1], x, without[3]], without);
        Assert.Equal([1, with[1], x, with[3], y, without[3]], with);
        Assert.Equal(4, new[] { without[1], without[3], with[1], with[3] }.Distinct().Count());
    }

    [Fact]
    public void Should_train_the_same_tokenizer_whatever_the_order_of_the_texts()
    {
        string[] texts = [.. PocketWorld.Default.Split("val").Select(r => r.Output)];
        var forward = BpeTrainer.Train(texts, 600);
        var backward = BpeTrainer.Train(texts.Reverse(), 600);
        Assert.Equal(600, forward.Tokens.Count);
        Assert.Equal(forward.Tokens, backward.Tokens);
        Assert.Equal(forward.Merges, backward.Merges);
        Assert.NotEqual(forward.Tokens, BpeTrainer.Train(texts.Skip(100), 600).Tokens);
    }

    [Fact]
    public void Should_merge_the_most_frequent_pair_first_and_stop_when_none_recurs()
    {
        var trained = BpeTrainer.Train(["abab ab", "abc"], 1000);
        Assert.Equal(("a", "b"), trained.Merges[0]);
        Assert.True(trained.Tokens.Count < 266);
        Assert.Equal(["[PAD]", "<s>", "</s>"], trained.Tokens.Take(3));
        Assert.Throws<BadInputException>(() => BpeTrainer.Train(["a"], 258));
    }

    [Fact]
    public void Should_write_the_same_files_each_time()
    {
        string other = Path.Combine(_folder, "other");
        s_trained.Value.Save(_folder, 256);
        s_trained.Value.Save(other, 256);
        foreach (string name in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, name)), File.ReadAllBytes(Path.Combine(other, name)));
        }
    }

    [Fact]
    public void Should_fit_the_architecture_of_the_policy()
    {
        var config = PocketWorld.PolicyConfig;
        config.Save(_folder);
        var loaded = ModelConfig.Load(_folder);
        Assert.Equal((config.VocabularySize, config.HiddenSize, config.Layers, true), (loaded.VocabularySize, loaded.HiddenSize, loaded.Layers, loaded.TieWordEmbeddings));
        Assert.Equal(Load().VocabularySize, loaded.VocabularySize);
        long layer = (long)config.HiddenSize * ((2 * config.QueryWidth) + (2 * config.KeyValueWidth) + (3 * config.IntermediateSize) + 2);
        Assert.InRange((config.Layers * layer) + (config.VocabularySize * (long)config.HiddenSize) + config.HiddenSize, 1_000_000, 2_000_000);
    }

    private ITokenizer Load()
    {
        s_trained.Value.Save(_folder, PocketWorld.Context);
        return TokenizerLoader.Load(_folder);
    }
}
