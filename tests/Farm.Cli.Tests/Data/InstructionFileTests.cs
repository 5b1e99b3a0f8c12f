using System.Text;
using Farm.Cli.Data;
using Farm.Cli.Tests.Support;
using Farm.Core;

namespace Farm.Cli.Tests.Data;

public sealed class InstructionFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_read_rows_of_a_JSON_array_with_their_other_fields()
    {
        string path = _folder.Write("in.json", """[{"instruction":"Añade","input":"x","dataset":"koala"},{"instruction":"b","input":null},{"instruction":"c"}]""");

        var rows = InstructionFile.Read(path);

        Assert.Equal(["Añade", "b", "c"], rows.Select(r => r.Instruction));
        Assert.Equal(["x", null, null], rows.Select(r => r.Input));
        Assert.Equal("koala", rows[0].Fields.GetProperty("dataset").GetString());
    }

    [Theory]
    [InlineData("in.jsonl")]
    [InlineData("in.json")]
    public void Should_read_JSON_Lines_whatever_the_file_is_called(string name)
    {
        string path = _folder.Write(name, "{\"instruction\":\"a\"}\n\n{\"instruction\":\"b\",\"input\":\"i\"}\r\n");

        Assert.Equal(["a", "b"], InstructionFile.Read(path).Select(r => r.Instruction));
    }

    [Fact]
    public void Should_accept_a_byte_order_mark()
    {
        string path = _folder.File("bom.json");
        File.WriteAllText(path, """[{"instruction":"a"}]""", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));

        Assert.Single(InstructionFile.Read(path));
    }

    [Fact]
    public void Should_stop_reading_at_max_instances()
    {
        string path = _folder.Write("in.json", """[{"instruction":"a"},{"instruction":"b"},{"instruction":3}]""");

        Assert.Equal(2, InstructionFile.Read(path, maxInstances: 2).Count);
    }

    [Fact]
    public void Should_read_a_file_much_larger_than_the_buffer()
    {
        string row = $$"""{"instruction":"{{new string('x', 5000)}}","input":"é"}""";
        string path = _folder.Write("large.json", $"[\n{string.Join(",\n", Enumerable.Repeat(row, 300))}\n]");

        var rows = InstructionFile.Read(path);

        Assert.Equal(300, rows.Count);
        Assert.All(rows, r => Assert.Equal(5000, r.Instruction.Length));
    }

    [Theory]
    [InlineData("[{\"instruction\":\"a\"},\n {\"instruction\":\"b\",}]", "line 2, column 21")]
    [InlineData("[{\"instruction\":\"a\"}", "line 1, column 21")]
    [InlineData("[{\"instruction\":\"a\"}] tail", "line 1, column 23")]
    [InlineData("not json at all", "line 1, column 2")]
    [InlineData("<html>", "line 1, column 1")]
    [InlineData("", "line 1, column 1")]
    [InlineData("{\"instruction\":\"a\"}\n{\"instruction\":\n", "line 2, column")]
    public void Should_name_line_and_column_of_what_is_not_JSON(string text, string place)
    {
        string path = _folder.Write("in.json", text);

        var error = Assert.Throws<BadInputException>(() => InstructionFile.Read(path));

        Assert.StartsWith($"{path} is not JSON: {place}", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{"instruction":"a"},{"instruction":""}]""", "row 2, field 'instruction': is empty")]
    [InlineData("""[{"instruction":" \n"}]""", "row 1, field 'instruction': is empty")]
    [InlineData("""[{"input":"a"}]""", "row 1: the field 'instruction' is missing")]
    [InlineData("""[{"instruction":7}]""", "row 1, field 'instruction': must be a string, not a number")]
    [InlineData("""[{"instruction":"a","input":["b"]}]""", "row 1, field 'input': must be a string, not a list")]
    [InlineData("""[{"instruction":"a"},"b"]""", "row 2: must be an object, not a string")]
    [InlineData("""[{"instruction":"\ud800"}]""", "row 1, field 'instruction': is not valid Unicode")]
    [InlineData("[]", "has no rows")]
    [InlineData("\"text\"", "must hold a JSON array")]
    [InlineData("17", "must hold a JSON array")]
    public void Should_name_file_row_and_field_of_bad_rows(string text, string expected)
    {
        string path = _folder.Write("in.json", text);

        var error = Assert.Throws<BadInputException>(() => InstructionFile.Read(path));

        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{"instruction":"a"}]""", "row 1: the field 'output' is missing")]
    [InlineData("""[{"instruction":"a","output":[]}]""", "row 1, field 'output': is an empty list")]
    [InlineData("""[{"instruction":"a","output":["x",1]}]""", "row 1, field 'output[1]': must be a string, not a number")]
    public void Should_name_what_is_wrong_with_outputs(string text, string expected)
    {
        string path = _folder.Write("in.json", text);

        var error = Assert.Throws<BadInputException>(() => InstructionFile.Read(path, requireOutput: true));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_tell_a_missing_file_from_a_folder()
    {
        Assert.Contains("does not exist", Assert.Throws<BadInputException>(() => InstructionFile.Read(_folder.File("none.json"))).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<BadInputException>(() => InstructionFile.Read(_folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_any_mutation_of_a_file_with_a_clear_sentence_or_read_it()
    {
        byte[] good = Encoding.UTF8.GetBytes("""[{"instruction":"añb","input":"c","output":["d","e"]}, {"instruction":"f","output":"g"}]""");
        var random = new Random(1);
        string path = _folder.File("fuzz.json");
        for (int i = 0; i < 500; i++)
        {
            byte[] bytes = [.. good];
            for (int edits = random.Next(1, 4); edits > 0; edits--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, bytes[..random.Next(bytes.Length + 1)]);
            try
            {
                Assert.All(InstructionFile.Read(path, requireOutput: true), r => Assert.False(string.IsNullOrWhiteSpace(r.Instruction)));
            }
            catch (BadInputException e)
            {
                Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
            }
        }
    }
}
