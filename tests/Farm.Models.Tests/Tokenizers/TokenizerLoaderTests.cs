using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Models.Tests.Tokenizers;

public class TokenizerLoaderTests
{
    private const string Json = """{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}""";

    [Fact]
    public void A_SentencePiece_model_goes_before_a_tokenizer_json()
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer.json", Json);
        folder.Write("tokenizer.model", new SentencePieceBuilder().Basic().Build());
        Assert.Equal(3, TokenizerLoader.Load(folder.Path).VocabularySize);
        folder.Write("tokenizer.model", "IQ== 0\nIg== 1\n");
        Assert.Equal(1, TokenizerLoader.Load(folder.Path).VocabularySize);
    }

    [Fact]
    public void A_folder_without_a_tokenizer_is_named()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(folder.Path, Assert.Throws<BadInputException>(() => TokenizerLoader.Load(folder.Path)).Message, StringComparison.Ordinal);
        Assert.Throws<BadInputException>(() => TokenizerLoader.Load(Path.Combine(folder.Path, "none")));
    }

    [Theory]
    [InlineData("tokenizer_config.json", """{"model_max_length": "many"}""", "model_max_length must be a number")]
    [InlineData("tokenizer_config.json", """{"bos_token": 3}""", "bos_token must be an object")]
    [InlineData("tokenizer_config.json", """{"add_bos_token": "yes"}""", "add_bos_token must be true or false")]
    [InlineData("tokenizer_config.json", """{"added_tokens_decoder": {"x": {"content": "a"}}}""", "added_tokens_decoder.x")]
    [InlineData("tokenizer_config.json", "{\n\"a\": tru}", "line 2, column")]
    [InlineData("special_tokens_map.json", """{"pad_token": {"content": ""}}""", "pad_token.content must not be empty")]
    [InlineData("added_tokens.json", """{"[PAD]": -4}""", "[PAD] must be a token id")]
    public void Faults_in_the_small_files_name_file_and_field(string file, string text, string fault)
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer.json", Json);
        folder.Write(file, text);
        var error = Assert.Throws<BadInputException>(() => TokenizerLoader.Load(folder.Path));
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_are_read_from_all_files()
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer_config.json", """{"chat_template": [{"name": "tool", "template": "t"}, {"name": "default", "template": "d"}], "clean_up_tokenization_spaces": true, "added_tokens_decoder": {"7": {"content": "<x>", "special": true}}, "legacy": false}""");
        folder.Write("special_tokens_map.json", """{"eos_token": {"content": "<e>"}, "additional_special_tokens": ["<y>"]}""");
        folder.Write("added_tokens.json", """{"<y>": 9, "<z>": 8}""");
        var settings = TokenizerSettings.Load(folder.Path);
        Assert.Equal(("d", "<e>", true, false), (settings.ChatTemplate, settings.Eos, settings.CleanUpTokenizationSpaces, settings.Legacy));
        Assert.Equal([(7, true), (8, false), (9, true)], settings.AddedTokens.Select(t => (t.Id, t.Special)));
    }

    [Fact]
    public void A_tokenizer_larger_than_the_model_does_not_fit()
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer.json", Json);
        var tokenizer = TokenizerLoader.Load(folder.Path);
        TokenizerCheck.Fits(tokenizer, 1, folder.Path);
        TokenizerCheck.Fits(tokenizer, 64, folder.Path);
        Assert.Throws<BadInputException>(() => TokenizerCheck.Fits(tokenizer, 0, folder.Path));
    }

    [Theory]
    [InlineData("Hello , world . Do n't you 've ' ok ' ? I 'm it 's we 're !", "Hello, world. Don't you've'ok '? I'm it's we're!")]
    [InlineData("a  .", "a .")]
    [InlineData("", "")]
    public void Clean_up_removes_tokenization_spaces(string text, string expected) => Assert.Equal(expected, TextCleanup.CleanUpTokenizationSpaces(text));
}
