using Farm.Annotation.Metrics;
using Farm.Core;

namespace Farm.Annotation.Tests.Metrics;

public class AnnotationFileTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    private IReadOnlyList<ScoredPair> Read(string json) => AnnotationFile.Read(_scratch.Write("annotations.json", json));

    private string Refusal(string json) => Assert.Throws<BadInputException>(() => Read(json)).Message;

    [Fact]
    public void Should_read_null_minus_one_and_old_draws()
    {
        var rows = Read("""[{"preference": null}, {"preference": -1.0}, {"preference": 0}, {"preference": 2}, {"preference": 1.25}]""");
        Assert.Equal([null, null, 1.5, 2, 1.25], rows.Select(r => r.Preference));
    }

    [Fact]
    public void Should_refuse_a_preference_of_3_naming_row_and_field()
    {
        string message = Refusal("""[{"preference": 1}, {"preference": 3}]""");
        Assert.Contains("annotations.json, row 2, field 'preference': must be from 1", message, StringComparison.Ordinal);
        Assert.EndsWith("not 3.", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("\"nan\"")]
    public void Should_refuse_a_preference_that_is_not_a_number(string value) =>
        Assert.Contains("row 1, field 'preference': is NaN", Refusal($$"""[{"preference": {{value}}}]"""), StringComparison.Ordinal);

    [Theory]
    [InlineData("0.5")]
    [InlineData("2.0000001")]
    [InlineData("-2")]
    [InlineData("true")]
    [InlineData("\"(a)\"")]
    [InlineData("[1]")]
    [InlineData("Infinity")]
    public void Should_refuse_what_is_no_preference(string value) =>
        Assert.Contains("row 1, field 'preference'", Refusal($$"""[{"preference": {{value}}}]"""), StringComparison.Ordinal);

    [Fact]
    public void Should_refuse_a_row_without_a_preference() =>
        Assert.Contains("row 2: the field 'preference' is missing", Refusal("""[{"preference": 1}, {"instruction": "a"}]"""), StringComparison.Ordinal);

    [Fact]
    public void Should_take_a_bare_NaN_elsewhere_for_missing_and_leave_texts_alone()
    {
        var rows = Read("""[{"instruction": "is NaN, \"NaN\" or Infinity?", "preference": 2, "price_per_example": NaN, "time_per_example": -Infinity, "output_2": NaN}]""");
        Assert.Equal("is NaN, \"NaN\" or Infinity?", rows[0].Instruction);
        Assert.Null(rows[0].Price);
        Assert.Null(rows[0].Seconds);
        Assert.Null(rows[0].Output2);
    }

    [Fact]
    public void Should_read_bare_NaN_in_lines() =>
        Assert.Equal([2, 1], AnnotationFile.Read(_scratch.Write("a.jsonl", "{\"preference\": 2, \"price_per_example\": NaN}\n\n{\"preference\": 1}\n")).Select(r => r.Preference!.Value));

    [Fact]
    public void Should_prefer_the_judges_own_cost_to_one_carried_along()
    {
        var row = Read("""[{"preference": 2, "price_per_example": 0.3, "preference_price_per_example": 0.01, "time_per_example": 36.8}]""")[0];
        Assert.Equal((0.01, 36.8), (row.Price!.Value, row.Seconds!.Value));
    }

    [Theory]
    [InlineData("[{\"preference\": 1}", "not JSON")]
    [InlineData("[]", "has no rows")]
    [InlineData("3", "must hold a JSON array")]
    [InlineData("[{\"preference\": 1}, 3]", "must be an object")]
    [InlineData("[{\"preference\": NaN}, 3]", "must be an object")]
    [InlineData("[{\"preference\": 1, \"output_2\": 5}]", "row 1, field 'output_2': must be a string, not a number")]
    [InlineData("[{\"preference\": 1, \"price_per_example\": \"much\"}]", "row 1, field 'price_per_example': must be a number")]
    public void Should_say_what_is_wrong_with_a_file(string json, string reason) => Assert.Contains(reason, Refusal(json), StringComparison.Ordinal);

    [Fact]
    public void Should_refuse_a_missing_file_a_folder_and_another_encoding()
    {
        Assert.Contains("does not exist", Assert.Throws<BadInputException>(() => AnnotationFile.Read(_scratch["none.json"])).Message, StringComparison.Ordinal);
        Assert.Contains("folder", Assert.Throws<BadInputException>(() => AnnotationFile.Read(_scratch.Folder)).Message, StringComparison.Ordinal);
        string latin = _scratch.Write("latin.json", [.. "[{\"instruction\": \"caf"u8, 0xE9, .. "\", \"preference\": 1}]"u8]);
        Assert.Contains("UTF-8", Assert.Throws<BadInputException>(() => AnnotationFile.Read(latin)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_name_models_by_generator_name_or_folder()
    {
        const string Nameless = """[{"preference": 2, "annotator": "my_judge"}]""";
        Assert.Equal("m", ModelAnnotations.Read(_scratch.Write("a.json", """[{"preference": 2, "generator_2": "m"}]"""))[0].Name);
        Assert.Equal("given", ModelAnnotations.Read(_scratch["a.json"], "given")[0].Name);
        Assert.Equal("some-model", ModelAnnotations.Read(_scratch.Write("some-model/annotations.json", Nameless))[0].Name);
        Assert.Equal("other-model", ModelAnnotations.Read(_scratch.Write("other-model/my_judge/annotations.json", Nameless))[0].Name);
    }

    [Fact]
    public void Should_part_a_file_by_its_models_and_refuse_rows_of_none()
    {
        string both = _scratch.Write("b.json", """[{"preference": 2, "generator_2": "x"}, {"preference": 1, "generator_2": "y"}, {"preference": 1, "generator_2": "x"}]""");
        var models = ModelAnnotations.Read(both);
        Assert.Equal(["x", "y"], models.Select(m => m.Name));
        Assert.Equal([0, 1], models[0].Pairs.Select(p => p.Position));
        string mixed = _scratch.Write("c.json", """[{"preference": 2, "generator_2": "x"}, {"preference": 1, "generator_2": "y"}, {"preference": 1}]""");
        Assert.Contains("row 3: the field 'generator_2' is missing", Assert.Throws<BadInputException>(() => ModelAnnotations.Read(mixed)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_measure_lengths_on_the_output_file_and_count_what_it_lost()
    {
        var model = ModelAnnotations.Read(_scratch.Write("a.json", """[{"instruction": "a", "output_2": "xxxx", "preference": 1}, {"instruction": "b", "output_2": "", "preference": 1}]"""))[0];
        Assert.Equal(2, ModelScore.AverageLength(model));
        Assert.Equal(2, ModelScore.AverageLength(model, _scratch.Write("o.json", """[{"instruction": "a", "output": "xxxx"}]""")));
        Assert.Equal(5, ModelScore.AverageLength(model, _scratch.Write("o.json", """[{"instruction": "a", "output": "xxxxx"}, {"instruction": "b", "output": null}]""")));
        string other = _scratch.Write("p.json", """[{"instruction": "c", "output": "x"}]""");
        Assert.Contains("no instruction in common", Assert.Throws<BadInputException>(() => ModelScore.AverageLength(model, other)).Message, StringComparison.Ordinal);
        string none = _scratch.Write("q.json", """[{"instruction": "a"}]""");
        Assert.Contains("row 1: the field 'output' is missing", Assert.Throws<BadInputException>(() => ModelScore.AverageLength(model, none)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_to_score_a_model_without_any_preference()
    {
        var model = ModelAnnotations.Read(_scratch.Write("a.json", """[{"preference": null}]"""))[0];
        Assert.Contains("nothing to score", Assert.Throws<BadInputException>(() => ModelScore.Row(model, "dev", null)).Message, StringComparison.Ordinal);
    }
}
