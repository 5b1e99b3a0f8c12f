using System.Text;
using System.Text.Json;
using Farm.Annotation.Metrics;
using Farm.Annotation.Metrics.Report;
using Farm.Core;

namespace Farm.Annotation.Tests.Metrics;

public class LeaderboardTableTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    private static LeaderboardRow Row(string name, double rate, long? length = null)
    {
        var row = new LeaderboardRow(name);
        row.Set("win_rate", rate);
        row.Set("standard_error", double.NaN);
        row.Set("mode", "community");
        if (length is { } value)
        {
            row.Set("avg_length", value);
        }

        return row;
    }

    [Fact]
    public void Should_write_what_it_read()
    {
        const string Text = ",win_rate,mode,avg_length,n_total\n\"a, \"\"b\"\"\",26.459627329192543,minimal,396.0,\nb,1e-05,,1.0,805.0\n";
        Assert.Equal(Text, LeaderboardTable.Read(_scratch.Write("l.csv", Text)).ToCsv());
    }

    [Fact]
    public void Should_merge_keep_the_files_order_of_columns_and_sort()
    {
        var table = LeaderboardTable.Read(_scratch.Write("l.csv", ",avg_length,win_rate,extra\nold,10,40.0,x\nworse,11,20.0,\n"));
        table.Merge(Row("new", 30, 12));
        table.Merge(Row("old", 25.5));
        table.Sort("win_rate");
        Assert.Equal(",avg_length,win_rate,extra,standard_error,mode\nnew,12,30.0,,,community\nold,10,25.5,x,,community\nworse,11,20.0,,,\n", table.ToCsv());
        Assert.Contains("no column 'length'", Assert.Throws<BadInputException>(() => table.Sort("length")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_keep_a_column_of_floats_one()
    {
        var table = LeaderboardTable.Read(_scratch.Write("l.csv", ",win_rate,avg_length\nold,40.0,10.0\n"));
        table.Merge(Row("new", 30, 12));
        Assert.Contains("new,30.0,12.0", table.ToCsv(), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_order_the_columns_of_a_new_table_as_AlpacaEval_does()
    {
        var table = new LeaderboardTable();
        var row = Row("m", 1, 2);
        row.Set("own", 3.5);
        table.Merge(row);
        Assert.Equal(["win_rate", "standard_error", "mode", "avg_length", "own"], table.Columns);
    }

    [Fact]
    public void Should_put_models_without_a_number_last()
    {
        var table = new LeaderboardTable();
        table.Merge(Row("nan", double.NaN));
        table.Merge(Row("zero", 0));
        table.Sort("win_rate");
        Assert.Equal(["zero", "nan"], table.Rows.Select(r => r.Name));
    }

    [Theory]
    [InlineData("alpaca-7b,26.4,1.5\nother,1,2\n", "has no header")]
    [InlineData("", "is empty")]
    [InlineData(",win_rate\na,1,2\n", "row 2: has 3 fields where the header has 2")]
    [InlineData(",win_rate\na,1\na,2\n", "row 3: the model 'a' is there twice")]
    [InlineData(",win_rate,win_rate\na,1,2\n", "'win_rate' is there twice")]
    [InlineData(",win_rate\n\"a,1\n", "never closed")]
    [InlineData(",win_rate\na\"b,1\n", "quote")]
    public void Should_refuse_what_is_no_leaderboard(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<BadInputException>(() => LeaderboardTable.Read(_scratch.Write("l.csv", text))).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_refuse_other_encodings_of_CSV_and_say_so()
    {
        string utf16 = _scratch.Write("u.csv", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes(",win_rate\na,1\n")]);
        Assert.Contains("UTF-16", Assert.Throws<BadInputException>(() => LeaderboardTable.Read(utf16)).Message, StringComparison.Ordinal);
        string latin = _scratch.Write("v.csv", [.. ",win_rate\ncaf"u8, 0xE9, .. ",1\n"u8]);
        string message = Assert.Throws<BadInputException>(() => LeaderboardTable.Read(latin)).Message;
        Assert.Contains("line 2", message, StringComparison.Ordinal);
        Assert.Contains("UTF-8", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_write_JSON_with_numbers_nulls_and_texts()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            Row("m", 26.459627329192543, 396).WriteTo(writer);
        }

        Assert.Equal("""{"name":"m","win_rate":26.459627329192543,"standard_error":null,"mode":"community","avg_length":396}""", Encoding.UTF8.GetString(stream.ToArray()));
    }

    [Fact]
    public void Should_draw_a_page_that_needs_nothing_else_and_escapes_names()
    {
        var table = new LeaderboardTable();
        table.Merge(Row("<script>alert(1)</script>", 30, 12));
        table.Merge(Row("b", double.NaN));
        string page = HtmlReport.Leaderboard(table, "A & B");
        Assert.Contains("<svg", page, StringComparison.Ordinal);
        Assert.Contains("A &amp; B", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_leave_the_old_file_when_a_new_one_cannot_be_written()
    {
        Assert.Throws<BadInputException>(() => TextFile.Write(_scratch.Folder, "x"));
        string blocked = Path.Combine(_scratch.Write("file", "x"), "below.csv");
        Assert.Throws<BadInputException>(() => TextFile.Write(blocked, "x"));
        Assert.Equal("x", File.ReadAllText(_scratch["file"]));
    }
}
