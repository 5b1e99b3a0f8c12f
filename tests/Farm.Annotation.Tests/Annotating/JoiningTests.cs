using Farm.Annotation.Annotating;
using Farm.Annotation.Data;
using Farm.Annotation.Tests.Support;
using Farm.Core;

namespace Farm.Annotation.Tests.Annotating;

public sealed class JoiningTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    private List<JsonRow> Rows(string json) => RowFile.Read(_folder.Write("rows.json", json));

    private static string Refused(Action action) => Assert.Throws<BadInputException>(action).Message;

    [Fact]
    public void Should_join_by_instruction_and_collapse_what_both_say()
    {
        var first = Rows("""[{"dataset":"d","instruction":"i","output":"a","generator":"ref"},{"dataset":"d","instruction":"j","output":"b","generator":"ref"}]""");
        var second = Rows("""[{"instruction":"j","output":"c","generator":"ref","dataset":"d"},{"instruction":"i","output":"d","generator":"ref","dataset":"d"}]""");
        var joined = HeadToHead.Join(first, "ref.json", second, "out.json");
        Assert.Equal(["dataset", "instruction", "output_1", "generator_1", "output_2", "generator_2"], joined[0].Select(f => f.Key));
        Assert.Equal([("i", "a", "d"), ("j", "b", "c")], joined.Select(r => (r.Text("instruction"), r.Text("output_1"), r.Text("output_2"))));
    }

    [Fact]
    public void Should_refuse_outputs_of_different_instructions()
    {
        var first = Rows("""[{"instruction":"i","output":"a"},{"instruction":"k","output":"b"}]""");
        var second = Rows("""[{"instruction":"i","output":"c"},{"instruction":"j","output":"d"}]""");
        Assert.Equal("out.json, row 2, field 'instruction': is not in ref.json, so its output has no partner.", Refused(() => HeadToHead.Join(first, "ref.json", second, "out.json")));
        Assert.Equal("out.json, row 2, field 'instruction': is not that of row 2 of ref.json.", Refused(() => HeadToHead.Join(first, "ref.json", second, "out.json", isOrdered: true)));
        Assert.Single(HeadToHead.Join(first, "ref.json", second, "out.json", allowUnmatched: true));
        Assert.Contains("no instruction in common", Refused(() => HeadToHead.Join([first[1]], "ref.json", [second[1]], "out.json", allowUnmatched: true)), StringComparison.Ordinal);
        Assert.Contains("2 rows and out.json has 1", Refused(() => HeadToHead.Join(first, "ref.json", [second[0]], "out.json", isOrdered: true)), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_ids_that_come_twice_or_mean_different_instructions()
    {
        var twice = Rows("""[{"id":1,"instruction":"i","output":"a"},{"id":1,"instruction":"j","output":"b"}]""");
        Assert.Equal("ref.json, row 2, field 'id': '1' is also the id of row 1.", Refused(() => HeadToHead.Join(twice, "ref.json", twice, "out.json")));
        var first = Rows("""[{"id":1,"instruction":"i","output":"a"},{"id":2,"instruction":"j","output":"b"}]""");
        var second = Rows("""[{"id":1,"instruction":"j","output":"a"}]""");
        Assert.Contains("differs from that of row 1 of ref.json, which has the same id '1'", Refused(() => HeadToHead.Join(first, "ref.json", second, "out.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_pair_samples_by_the_derangement_and_sort_the_prompts()
    {
        var rows = Rows("""[{"instruction":"z","input":"","output":["0","1","2","3"]},{"instruction":"a","input":"","output":["x","x","y"]},{"instruction":"b","input":"","output":"alone"}]""");
        var pairs = Samples.Pair(rows, "in.json");
        Assert.Equal([("a", "x", "y"), ("b", "alone", "alone"), ("z", "0", "2")], pairs.Select(r => (r.Text("instruction"), r.Text("output_1"), r.Text("output_2"))));
        Assert.Equal(2 + 1 + 4, Samples.Pair(rows, "in.json", isUniqueInstructions: false).Count);
        Assert.Contains("row 1, field 'output': is an empty list", Refused(() => Samples.Pair(Rows("""[{"instruction":"z","output":[]}]"""), "in.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{"instruction":"i","output_1":"a"}]""", "row 1: the field 'output_2' is missing")]
    [InlineData("""[{"instruction":"i","output_1":"a","output_2":null}]""", "row 1, field 'output_2': is null")]
    [InlineData("""[{"instruction":"i","output_1":"a","output_2":["b"]}]""", "must be a text, not a list")]
    [InlineData("""[{"instruction":"i","output_1":"a","output_2":"b","preference":3}]""", "must be a number from 1 to 2")]
    [InlineData("""[{"id":"x","instruction":"i","output_1":"a","output_2":"b"},{"id":"x","instruction":"i","output_1":"a","output_2":"c"}]""", "row 2, field 'id': 'x' is also the id of row 1")]
    [InlineData("[]", "has no rows")]
    public void Should_refuse_pairs_that_are_none(string json, string sentence)
    {
        string file = _folder.Write("in.json", json);
        Assert.Contains(sentence, Refused(() => PairRow.Read(file)), StringComparison.Ordinal);
    }
}
