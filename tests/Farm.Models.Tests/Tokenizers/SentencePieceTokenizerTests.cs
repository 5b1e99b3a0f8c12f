using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Models.Tests.Tokenizers;

public class SentencePieceTokenizerTests
{
    private const string Config = """{"bos_token": {"content": "<s>", "__type": "AddedToken"}, "eos_token": "</s>", "pad_token": "[PAD]", "model_max_length": 512}""";

    [Fact]
    public void The_highest_score_merges_first_and_the_leftmost_among_equals()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("a", -9).Piece("b", -9).Piece("ab", -2).Piece("ba", -1).Piece("aa", -3));
        Assert.Equal(["ba", "b"], Texts(tokenizer, "bab"));
        Assert.Equal(["a", "ba"], Texts(tokenizer, "aba"));
        Assert.Equal(["aa", "a"], Texts(tokenizer, "aaa"));
    }

    [Fact]
    public void Each_text_gets_BOS_and_the_dummy_prefix()
    {
        var tokenizer = Load(new SentencePieceBuilder().Basic().Piece("▁", -5).Piece("a", -5).Piece("▁a", -1));
        Assert.Equal([1, 5, 3, 5], tokenizer.Encode("a  a"));
        Assert.Equal([5], tokenizer.Encode("a", addSpecialTokens: false));
        Assert.Equal([1], tokenizer.Encode(""));
    }

    [Fact]
    public void Unknown_characters_fall_back_to_their_bytes()
    {
        var tokenizer = Load(new SentencePieceBuilder { ByteFallback = true, AddDummyPrefix = false }.Basic().Bytes());
        Assert.Equal([3 + 0xE2, 3 + 0x82, 3 + 0xAC], tokenizer.Encode("€", addSpecialTokens: false));
        Assert.Equal("€", tokenizer.Decode([3 + 0xE2, 3 + 0x82, 3 + 0xAC]));
        Assert.Equal("\uFFFD\uFFFDx", tokenizer.Decode([3 + 0xE2, 3 + 0x82, 3 + 'x']));
        Assert.Equal("\uFFFD", tokenizer.Decode([3 + 0xFF]));
    }

    [Fact]
    public void Runs_of_unknown_characters_are_one_unknown_token()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("a", -1));
        Assert.Equal([0, 3, 0], tokenizer.Encode("xyzaq", addSpecialTokens: false));
    }

    [Fact]
    public void Lone_surrogates_count_as_the_replacement_character()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("\uFFFD", -1).Piece("a", -1));
        Assert.Equal([4, 3, 4], tokenizer.Encode("a\uD800a", addSpecialTokens: false));
        Assert.Equal([3, 3], tokenizer.Encode("\uDC00\uD800", addSpecialTokens: false));
    }

    [Fact]
    public void User_defined_symbols_are_found_first_and_never_merge()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("a", -5).Piece("b", -5).Piece("ab", -1).Piece("bb", 0, SentencePieceBuilder.UserDefined));
        Assert.Equal(["a", "bb"], Texts(tokenizer, "abb"));
        Assert.Equal(["ab"], Texts(tokenizer, "ab"));
    }

    [Fact]
    public void Unused_pieces_come_apart_again()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("a", -5).Piece("b", -5).Piece("ab", -1, SentencePieceBuilder.Unused).Piece("aba", -2));
        Assert.Equal(["a", "b"], Texts(tokenizer, "ab"));
        Assert.Equal(["aba"], Texts(tokenizer, "aba"));
    }

    [Fact]
    public void Extra_white_space_goes_where_the_model_says_so()
    {
        var tokenizer = Load(new SentencePieceBuilder { RemoveExtraWhitespaces = true }.Basic().Piece("▁", -5).Piece("a", -5).Piece("▁a", -1));
        Assert.Equal(["▁a", "▁a"], Texts(tokenizer, "   a    a  "));
        Assert.Empty(Texts(tokenizer, "    "));
    }

    [Fact]
    public void The_unigram_model_takes_the_path_of_greatest_score()
    {
        var tokenizer = Load(new SentencePieceBuilder { ModelType = 1, AddDummyPrefix = false }.Basic().Piece("a", -1).Piece("b", -1).Piece("c", -5).Piece("ab", -1.5f).Piece("bc", -1.2f));
        Assert.Equal(["ab"], Texts(tokenizer, "ab"));
        Assert.Equal(["a", "bc"], Texts(tokenizer, "abc"));
        Assert.Equal(["<unk>", "a"], Texts(tokenizer, "xya"));
    }

    [Fact]
    public void A_configured_tokenizer_finds_special_tokens_in_the_text()
    {
        var model = new SentencePieceBuilder().Basic().Piece("▁", -5).Piece("a", -5).Piece("▁a", -1);
        var tokenizer = Load(model, ("tokenizer_config.json", Config), ("added_tokens.json", """{"[PAD]": 6}"""));
        Assert.Equal((1, 2, 6, 512, 7), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.ModelMaxLength, tokenizer.VocabularySize));
        Assert.Equal([1, 5, 2, 5, 6], tokenizer.Encode("a</s>a[PAD]"));
        Assert.Equal([1, 5, 2, 3, 5], tokenizer.Encode("a</s> a"));
        Assert.Equal("a a", tokenizer.Decode([1, 5, 2, 5, 6]));
        Assert.Equal("<s> a</s>[PAD]", tokenizer.Decode([1, 5, 2, 6], skipSpecialTokens: false));
    }

    [Fact]
    public void Without_configuration_the_text_of_a_control_token_is_text()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("<", -1).Piece("s", -1).Piece(">", -1));
        Assert.Equal([3, 4, 5], tokenizer.Encode("<s>", addSpecialTokens: false));
    }

    [Fact]
    public void Not_legacy_means_one_prefix_for_the_whole_text()
    {
        var model = new SentencePieceBuilder().Basic().Piece("▁", -5).Piece("a", -5).Piece("▁a", -1);
        var config = """{"bos_token": "<s>", "eos_token": "</s>", "legacy": false}""";
        var tokenizer = Load(model, ("tokenizer_config.json", config));
        Assert.Equal([1, 5, 2, 4, 2, 5], tokenizer.Encode("a</s>a</s> a"));
        Assert.Equal([1, 2, 4], tokenizer.Encode("</s>a"));
    }

    [Fact]
    public void A_special_token_that_is_nowhere_gets_the_next_id()
    {
        var tokenizer = Load(new SentencePieceBuilder().Basic().Piece("a", -1), ("tokenizer_config.json", Config));
        Assert.Equal((4, 5), (tokenizer.PadId, tokenizer.VocabularySize));
        Assert.True(tokenizer.IsSpecial(4));
    }

    [Fact]
    public void Long_texts_take_no_quadratic_time()
    {
        var tokenizer = Load(new SentencePieceBuilder { AddDummyPrefix = false }.Basic().Piece("a", -9).Piece("aa", -2).Piece("aaaa", -1));
        Assert.Equal(250_000, tokenizer.Encode(new string('a', 1_000_000), addSpecialTokens: false).Length);
    }

    [Theory]
    [InlineData(3, "trainer_spec.model_type is word")]
    [InlineData(4, "trainer_spec.model_type is char")]
    public void Other_model_types_are_refused_by_name(int type, string fault)
    {
        var error = Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder { ModelType = type }.Basic()));
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Faulty_models_are_refused()
    {
        Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder()));
        Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder().Piece("a", 0)));
        Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder().Basic().Piece("a", 0).Piece("a", 0)));
        Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder().Basic().Piece("a", float.NaN)));
        Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder { ByteFallback = true }.Basic()));
        Assert.Throws<BadInputException>(() => Load(new SentencePieceBuilder().Basic().Piece("<0xGG>", 0, SentencePieceBuilder.Byte)));
    }

    [Fact]
    public void Damaged_files_are_bad_input_and_nothing_else()
    {
        var random = new Random(17);
        var whole = new SentencePieceBuilder { ByteFallback = true }.Basic().Bytes().Piece("ab", -1).Build();
        for (var round = 0; round < 500; round++)
        {
            var data = whole[..random.Next(whole.Length + 1)];
            for (var faults = random.Next(4); faults > 0 && data.Length > 0; faults--)
            {
                data[random.Next(data.Length)] = (byte)random.Next(256);
            }

            using var folder = new TemporaryFolder();
            folder.Write("tokenizer.model", data);
            try
            {
                TokenizerLoader.Load(folder.Path).Encode("ab€");
            }
            catch (BadInputException e)
            {
                Assert.Contains("tokenizer.model", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Ids_outside_the_vocabulary_throw()
    {
        var tokenizer = Load(new SentencePieceBuilder().Basic());
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokenizer.Decode([-1]));
    }

    [Fact]
    public void Streams_give_the_decoded_text_and_never_half_a_character()
    {
        var builder = new SentencePieceBuilder { ByteFallback = true }.Basic().Bytes().Piece("▁", -2).Piece("▁a", -1).Piece("é", -3);
        StreamProperty.Check(Load(builder, ("tokenizer_config.json", Config)), seed: 4);
    }

    private static string[] Texts(ITokenizer tokenizer, string text) =>
        [.. tokenizer.Encode(text, addSpecialTokens: false).Select(id => ((Models.Tokenizers.SentencePiece.SentencePieceTokenizer)tokenizer).Model.Pieces[id].Text)];

    private static ITokenizer Load(SentencePieceBuilder model, params (string Name, string Text)[] files)
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer.model", model.Build());
        foreach (var (name, text) in files)
        {
            folder.Write(name, text);
        }

        return TokenizerLoader.Load(folder.Path);
    }
}
