using Farm.Annotation.Data;
using Farm.Core;

namespace Farm.Annotation.Tests.Data;

public sealed class AnnotationRowsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("farm-annotation-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public void Should_write_pandas_rows_back_byte_for_byte()
    {
        const string File = "[\n  {\n    \"instruction\":\"caf\\u00e9 \\/ \\ud83d\\ude00 \\\"x\\\"\\n\",\n    \"output_1\":\"a\",\n    \"output_2\":\"b\",\n    \"preference\":2.0,\n    \"price_per_example\":0.00806,\n    \"raw_completion\":{\n      \"logprobs\":{\n        \"content\":[\n          1,\n          -0.0000006704\n        ]\n      },\n      \"tool_calls\":null\n    }\n  },\n  {\n    \"instruction\":\"i\",\n    \"output_1\":\"a\",\n    \"output_2\":\"a\",\n    \"preference\":0\n  }\n]";
        var judgments = AnnotationRows.Read(Write("a.json", File));
        Assert.Equal(File, PandasJson.Write(judgments.Select(AnnotationRows.ToRow)));
        Assert.Equal((2.0, "2.0"), (judgments[0].Preference, judgments[0].PreferenceText));
        Assert.True(judgments[1].LegacyZero);
        Assert.Equal(1.5, judgments[1].Preference);
        Assert.False(judgments[0].PrefixedColumns);
    }

    [Fact]
    public void Should_write_a_changed_preference_and_keep_the_rest()
    {
        var judgment = AnnotationRows.Read(Write("a.json", """[{"instruction":"i","output_1":"a","output_2":"b","preference":-1,"x":1.50}]"""))[0];
        Assert.True(judgment.StoredMissing);
        Assert.Null(judgment.Preference);
        var row = AnnotationRows.ToRow(judgment with { Preference = 1.25 });
        Assert.Equal(["instruction", "output_1", "output_2", "preference", "x"], row.Select(f => f.Key));
        Assert.Equal("1.25", row["preference"].GetRawText());
        Assert.Equal("1.50", row["x"].GetRawText());
    }

    [Theory]
    [InlineData("3", "must be a number from 1 to 2 (0 for an old draw), not 3")]
    [InlineData("0.5", "must be a number from 1 to 2")]
    [InlineData("\"NaN\"", "is NaN")]
    [InlineData("true", "not true")]
    public void Should_refuse_a_preference_that_is_none(string value, string sentence)
    {
        string path = Write("a.json", $$"""[{"instruction":"i","output_1":"a","output_2":"b"},{"instruction":"i","output_1":"a","output_2":"b","preference":{{value}}}]""");
        var e = Assert.Throws<BadInputException>(() => AnnotationRows.Read(path));
        Assert.Contains("a.json, row 2, field 'preference'", e.Message, StringComparison.Ordinal);
        Assert.Contains(sentence, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_a_bare_NaN_as_no_JSON()
    {
        string path = Write("a.json", """[{"instruction":"i","output_1":"a","output_2":"b","preference":NaN}]""");
        Assert.Contains("is not JSON: line 1", Assert.Throws<BadInputException>(() => AnnotationRows.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_say_which_field_is_missing()
    {
        string path = Write("a.json", """[{"instruction":"i","output_1":"a"}]""");
        Assert.Equal($"{path}, row 1: the field 'output_2' is missing.", Assert.Throws<BadInputException>(() => AnnotationRows.Read(path)).Message);
    }

    [Fact]
    public void Should_read_a_CSV_by_its_header_and_refuse_one_without()
    {
        var rows = RowFile.Read(Write("a.csv", "instruction,output_1,output_2\n\"a, \"\"b\"\"\",x,\"y\nz\"\n"));
        Assert.Equal("a, \"b\"", rows[0].Text("instruction"));
        Assert.Equal("y\nz", rows[0].Text("output_2"));
        Assert.Contains("no header row", Assert.Throws<BadInputException>(() => RowFile.Read(Write("b.csv", "Do it,x,y\n"))).Message, StringComparison.Ordinal);
        Assert.Contains("no header row", Assert.Throws<BadInputException>(() => RowFile.Read(Write("c.csv", ""))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_name_another_encoding()
    {
        string path = Path.Combine(_folder, "latin.csv");
        File.WriteAllBytes(path, [.. "instruction,output_1\ncaf"u8, 0xE9, .. ",x\n"u8]);
        Assert.Contains("line 2: is not UTF-8", Assert.Throws<BadInputException>(() => RowFile.Read(path)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(path, [0xFF, 0xFE, .. System.Text.Encoding.Unicode.GetBytes("instruction\n")]);
        Assert.Contains("UTF-16", Assert.Throws<BadInputException>(() => RowFile.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_read_JSON_Lines()
    {
        var rows = RowFile.Read(Write("a.json", "{\"instruction\":\"a\"}\n\n{\"instruction\":\"b\"}\n"));
        Assert.Equal(["a", "b"], rows.Select(r => r.Text("instruction")));
    }

    [Fact]
    public void Should_end_a_line_of_JSON_Lines_at_a_line_feed_alone()
    {
        var rows = RowFile.Read(Write("a.jsonl", "{\"instruction\":\"one\u2028two\u0085three\"}\r\n{\"instruction\":\"b\"}\r\n"));
        Assert.Equal(["one\u2028two\u0085three", "b"], rows.Select(r => r.Text("instruction")));
    }

    [Theory]
    [InlineData("a.json", "[{}, 3]", "row 2: must be an object, not a number.")]
    [InlineData("a.json", "[{}, NaN]", "row 2: must be an object, not NaN.")]
    [InlineData("a.json", "{}\n\n[NaN]\n", "line 3: must be an object, not a list.")]
    [InlineData("a.jsonl", "{}\n\n{\"a\": NaN,}\n", "is not JSON: line 3.")]
    [InlineData("a.jsonl", "{}\n{\"a\": 1,}\n", "is not JSON: line 2, column 9.")]
    [InlineData("a.json", "\"NaN\"", "must hold a JSON array of objects, or one object per line.")]
    [InlineData("a.json", "[]", "has no rows.")]
    public void Should_say_where_a_file_is_not_what_it_should_be(string name, string text, string sentence) =>
        Assert.EndsWith(sentence, Assert.Throws<BadInputException>(() => RowFile.ReadSome(Write(name, text), bareWords: true)).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_read_one_line_with_a_bare_word() =>
        Assert.Equal("b", Assert.Single(RowFile.Read(Write("a.jsonl", "{\"a\": -Infinity, \"instruction\": \"b\"}"), bareWords: true)).Text("instruction"));

    [Fact]
    public void Should_refuse_half_a_surrogate_pair()
    {
        string path = Write("a.json", """[{"instruction":"\ud800","output_1":"a","output_2":"b"}]""");
        Assert.Equal($"{path}, row 1, field 'instruction': is not valid Unicode text.", Assert.Throws<BadInputException>(() => AnnotationRows.Read(path)).Message);
    }

    [Theory]
    [InlineData(1, "1.0")]
    [InlineData(1.0000001827123, "1.0000001827")]
    [InlineData(2.9e-6, "0.0000029")]
    [InlineData(double.NaN, "null")]
    public void Should_write_numbers_as_pandas_does(double value, string text) => Assert.Equal(text, PandasJson.Number(value));
}
