using Farm.Core;
using Farm.Models.Tokenizers;

namespace Farm.Models.Tests.Tokenizers;

public class JsonTokenizerTests
{
    private const string Gpt2 = """
        {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "Ã": 5, "©": 6, "Ċ": 7}, "merges": ["a b", "Ġ ab"]},
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
         "added_tokens": [{"id": 8, "content": "<|end|>", "special": true}, {"id": 9, "content": "ba", "single_word": true}, {"id": 10, "content": "~", "lstrip": true, "rstrip": true}]}
        """;

    private const string Llama = """
        {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
         "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
                   "vocab": {"<unk>": 0, "<s>": 1, "▁": 2, "a": 3, "▁a": 4, "<0xC3>": 5, "<0xA9>": 6}, "merges": [["▁", "a"]]},
         "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}], "special_tokens": {"<s>": {"ids": [1]}}},
         "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                                                      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
         "added_tokens": [{"id": 0, "content": "<unk>", "special": true}, {"id": 1, "content": "<s>", "special": true}]}
        """;

    private static readonly string[] s_metaspaceTokens = ["a", "b", "▁", "▁a", "▁b", "▁a▁b"];

    [Fact]
    public void Byte_level_words_merge_by_rank()
    {
        var tokenizer = Load(Gpt2);
        Assert.Equal([3, 4, 2, 1], tokenizer.Encode("ab ab b"));
        Assert.Equal([5, 6, 7], tokenizer.Encode("é\n"));
        Assert.Equal("ab ab é\n", tokenizer.Decode([3, 4, 2, 5, 6, 7]));
        Assert.Equal("\uFFFDa", tokenizer.Decode([5, 0]));
    }

    [Fact]
    public void Added_tokens_obey_their_flags()
    {
        var tokenizer = Load(Gpt2);
        Assert.Equal([0, 8, 1], tokenizer.Encode("a<|end|>b"));
        Assert.Equal([9, 2, 9], tokenizer.Encode("ba ba"));
        Assert.Equal([1, 0, 0], tokenizer.Encode("baa"));
        Assert.Equal([0, 10, 1], tokenizer.Encode("a  ~ \n b"));
        Assert.Equal("ab", tokenizer.Decode([0, 8, 1]));
        Assert.Equal("a<|end|>b", tokenizer.Decode([0, 8, 1], skipSpecialTokens: false));
    }

    [Fact]
    public void Llama_style_files_prefix_every_stretch()
    {
        var tokenizer = Load(Llama);
        Assert.Equal([1, 4, 2, 4], tokenizer.Encode("a  a"));
        Assert.Equal([4, 1, 4], tokenizer.Encode("a<s>a", addSpecialTokens: false));
        Assert.Equal([4, 5, 6, 0], tokenizer.Encode("aé€𝒳", addSpecialTokens: false));
        Assert.Equal("a a", tokenizer.Decode([1, 4, 4]));
        Assert.Equal("aé", tokenizer.Decode([4, 5, 6]));
        Assert.Equal("a\uFFFD\uFFFD\uFFFDa", tokenizer.Decode([4, 5, 6, 5, 3]));
    }

    [Fact]
    public void Configuration_decides_on_BOS_and_EOS_for_Llama_classes()
    {
        var config = """{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "<e>", "add_bos_token": false, "add_eos_token": true, "model_max_length": 1000000000000000019884624838656}""";
        var tokenizer = Load(Llama, config);
        Assert.Equal([4, 7], tokenizer.Encode("a"));
        Assert.Equal((1, 7, null, null), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.ModelMaxLength));
    }

    [Theory]
    [InlineData("always", true, "▁a", "▁b")]
    [InlineData("never", true, "a", "▁b")]
    [InlineData("always", false, "▁a▁b")]
    public void Metaspace_marks_words(string scheme, bool split, params string[] expected)
    {
        var vocabulary = string.Join(", ", s_metaspaceTokens.Select((t, i) => $"\"{t}\": {i}"));
        var json = $$"""
            {"model": {"type": "BPE", "vocab": { {{vocabulary}} }, "merges": ["▁ a", "▁ b", "▁a ▁b"]}, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{scheme}}", "split": {{(split ? "true" : "false")}} },
             "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "{{scheme}}"} }
            """;
        var tokenizer = Load(json);
        Assert.Equal(expected.Select(t => tokenizer.IdOf(t)!.Value), tokenizer.Encode("a b"));
        Assert.Equal(scheme == "always" && !split ? "ab" : "a b", tokenizer.Decode(tokenizer.Encode("a b")));
    }

    [Theory]
    [InlineData("""{"type": "Digits", "individual_digits": true}""", "ab12", "ab|1|2")]
    [InlineData("""{"type": "Digits", "individual_digits": false}""", "ab12", "ab|12")]
    [InlineData("""{"type": "Punctuation"}""", "a,$b", "a|,|$|b")]
    [InlineData("""{"type": "Whitespace"}""", "a1 b,,c", "a1|b|,,|c")]
    [InlineData("""{"type": "WhitespaceSplit"}""", "a,  b", "a,|b")]
    [InlineData("""{"type": "CharDelimiterSplit", "delimiter": "-"}""", "a-b--c", "a|b|c")]
    [InlineData("""{"type": "Split", "pattern": {"String": "-"}, "behavior": "MergedWithPrevious"}""", "a-b--c", "a-|b-|-|c")]
    [InlineData("""{"type": "Split", "pattern": {"String": "-"}, "behavior": "MergedWithNext"}""", "a-b--c", "a|-b|-|-c")]
    [InlineData("""{"type": "Split", "pattern": {"String": "-"}, "behavior": "Contiguous"}""", "a-b--c", "a|-|b|--|c")]
    [InlineData("""{"type": "Split", "pattern": {"String": "-"}, "behavior": "Isolated"}""", "-a--", "-|a|-|-")]
    [InlineData("""{"type": "Split", "pattern": {"Regex": "\\p{L}+"}, "behavior": "Removed", "invert": true}""", "a1 𝒳𝒴-b", "a|𝒳𝒴|b")]
    [InlineData("""{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": true}]}""", "a 1b2", "a|1|b|2")]
    public void Pre_tokenizers_cut_as_named(string json, string text, string expected)
    {
        var parts = Models.Tokenizers.Json.PreTokenizers.Read(Field(json));
        var words = new Models.Tokenizers.Json.PreTokenized(text, startsInput: true);
        parts.Apply(words);
        Assert.Equal(expected, string.Join('|', words.Splits.Select(s => words.Text.Substring(s.Start, s.Length))));
    }

    [Theory]
    [InlineData("""{"type": "NFC"}""", "e\u0301", "\u00E9")]
    [InlineData("""{"type": "NFKC"}""", "ﬁ①", "fi1")]
    [InlineData("""{"type": "Lowercase"}""", "ÀΣİ\U00010400", "àσi\u0307\U00010428")]
    [InlineData("""{"type": "Strip", "strip_left": true, "strip_right": false}""", "  a ", "a ")]
    [InlineData("""{"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}""", "é\u0903x", "ex")]
    [InlineData("""{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}""", "a \t b", "a b")]
    [InlineData("null", "a", "a")]
    public void Normalizers_rewrite_as_named(string json, string text, string expected) =>
        Assert.Equal(expected, Models.Tokenizers.Json.TextNormalizers.Read(Field(json))(text));

    [Theory]
    [InlineData("\"normalizer\": {\"type\": \"BertNormalizer\"}", "BertNormalizer")]
    [InlineData("\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}", "UnicodeScripts")]
    [InlineData("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Han}\"}, \"behavior\": \"Isolated\"}", "\\p{Han}")]
    [InlineData("\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"a\"}, \"behavior\": \"Sideways\"}", "Sideways")]
    [InlineData("\"post_processor\": {\"type\": \"BertProcessing\"}", "BertProcessing")]
    [InlineData("\"decoder\": {\"type\": \"CTC\"}", "CTC")]
    [InlineData("\"model\": {\"type\": \"WordPiece\"}", "WordPiece")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"dropout\": 0.1}", "model.dropout")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"end_of_word_suffix\": \"</w>\"}", "model.end_of_word_suffix")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}", "model.merges[0] needs the token 'b'")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"ab\"]}", "model.merges[0]")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}", "model.vocab.a")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}", "the id 0")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": [], \"merges\": []}", "model.vocab must be an object")]
    [InlineData("\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}", "model.vocab is empty")]
    [InlineData("\"added_tokens\": [{\"id\": 1}]", "added_tokens[0].content")]
    [InlineData("\"added_tokens\": [{\"content\": \"x\", \"id\": \"1\"}]", "added_tokens[0].id")]
    public void What_is_not_supported_is_refused_by_name(string member, string fault)
    {
        var model = member.StartsWith("\"model\"", StringComparison.Ordinal) ? string.Empty : ", \"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}";
        var error = Assert.Throws<BadInputException>(() => Load($"{{{member}{model}}}"));
        Assert.Contains("tokenizer.json", error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_files_are_bad_input_and_nothing_else()
    {
        var random = new Random(23);
        for (var round = 0; round < 400; round++)
        {
            var text = (round % 2 == 0 ? Gpt2 : Llama).ToCharArray();
            for (var faults = random.Next(1, 4); faults > 0; faults--)
            {
                text[random.Next(text.Length)] = (char)random.Next(0x20, 0x7F);
            }

            try
            {
                Load(new string(text)).Encode("ab é");
            }
            catch (BadInputException)
            {
            }
        }
    }

    [Fact]
    public void Streams_give_the_decoded_text_and_never_half_a_character()
    {
        StreamProperty.Check(Load(Gpt2), seed: 1);
        StreamProperty.Check(Load(Llama), seed: 2);
    }

    [Fact]
    public void A_stripped_end_is_held_back_until_it_is_certain()
    {
        var tokenizer = Load("""{"model": {"type": "BPE", "vocab": {"a": 0, "_": 1}, "merges": []}, "decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "_", "start": 1, "stop": 2}]} }""");
        Assert.Equal("_a", tokenizer.Decode([1, 1, 0, 1, 1]));
        Assert.Equal("a_", tokenizer.Decode([0, 1, 1, 1]));
        StreamProperty.Check(tokenizer, seed: 3);
    }

    private static Models.Tokenizers.JsonField Field(string json)
    {
        using var folder = new TemporaryFolder();
        folder.Write("field.json", $"{{\"it\": {json}}}");
        return Models.Tokenizers.JsonField.TryRead(Path.Combine(folder.Path, "field.json"))!.Value["it"];
    }

    private static ITokenizer Load(string json, string? config = null)
    {
        using var folder = new TemporaryFolder();
        folder.Write("tokenizer.json", json);
        if (config is not null)
        {
            folder.Write("tokenizer_config.json", config);
        }

        return TokenizerLoader.Load(folder.Path);
    }
}
