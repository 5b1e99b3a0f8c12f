using Farm.Annotation.UltraFeedback;

namespace Farm.Annotation.Tests.UltraFeedback;

public class AspectReplyTests
{
    private static string Plain(params string[] ratings) => string.Join("\n\n", ratings.Select((r, i) => $"#### Output for Text {i + 1}\nRating: {r}\nRationale: because {i}"));

    private static string Typed(params (string Type, string Rating)[] blocks) =>
        string.Join("\n\n", blocks.Select((b, i) => $"#### Output for Text {i + 1}\nType: {b.Type}\nRationale: of type {i}\nRating: {b.Rating}\nRationale: of rating {i}"));

    [Fact]
    public void Should_read_ratings_and_not_applicable()
    {
        var ratings = AspectReply.Parse(Aspect.Honesty, Plain("5", "N/A", "3 (weak)", "1"), 4, out string? failure);
        Assert.Null(failure);
        Assert.Equal(["5", "N/A", "3", "1"], ratings!.Select(r => r.Rating));
        Assert.Equal("because 1", ratings![1].Rationale);
        Assert.Equal("""{"Rating":"N/A","Rationale":"because 1"}""", ratings[1].ToJson().ToJsonString());
    }

    [Fact]
    public void Should_read_types()
    {
        var ratings = AspectReply.Parse(Aspect.Truthfulness, Typed(("1, 2", "3"), ("None", "5"), ("None.", "4"), ("3", "2")), 4, out string? failure);
        Assert.Null(failure);
        Assert.Equal(["1", "2"], ratings![0].Types);
        Assert.True(ratings[1].TypesAreNone);
        Assert.Equal("""{"Type":"None","Rationale":"of type 1","Rating":"5","Rationale For Rating":"of rating 1"}""", ratings[1].ToJson().ToJsonString());
        Assert.Equal("""{"Type":[],"Rationale":"of type 2","Rating":"4","Rationale For Rating":"of rating 2"}""", ratings[2].ToJson().ToJsonString());
    }

    [Fact]
    public void Should_read_Windows_lines_and_white_space_around() =>
        Assert.NotNull(AspectReply.Parse(Aspect.Honesty, "\n" + Plain("1", "2", "3", "4").Replace("\n", "\r\n", StringComparison.Ordinal) + "\n\n", 4, out _));

    [Theory]
    [InlineData(Aspect.Honesty, "1|2|3", "3 blocks, not 4")]
    [InlineData(Aspect.Honesty, "1|2|3|good", "block 4: has no number as its rating but 'good'")]
    [InlineData(Aspect.Honesty, "1|2|0|4", "block 3: has the rating 0")]
    [InlineData(Aspect.Honesty, "10|2|3|4", "block 1: has the rating 10")]
    [InlineData(Aspect.Helpfulness, "1|2|3|4", "block 1: has no Type")]
    public void Should_say_why_a_reply_cannot_be_read(Aspect aspect, string ratings, string reason)
    {
        Assert.Null(AspectReply.Parse(aspect, Plain(ratings.Split('|')), 4, out string? failure));
        Assert.Contains(reason, failure, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_not_take_not_applicable_where_a_number_is_due()
    {
        Assert.Null(AspectReply.Parse(Aspect.Helpfulness, Typed(("1", "N/A"), ("1", "2"), ("1", "2"), ("1", "2")), 4, out string? failure));
        Assert.Contains("block 1", failure, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_survive_anything()
    {
        var random = new Random(7);
        string[] pieces = ["Rating: ", "Rationale: ", "Type: ", "\n", "\n\n", "5", "N/A", "None", ",", "x", "é", "\u0000"];
        for (int i = 0; i < 3000; i++)
        {
            string reply = string.Concat(Enumerable.Range(0, random.Next(30)).Select(_ => pieces[random.Next(pieces.Length)]));
            foreach (var aspect in Aspects.All)
            {
                var ratings = AspectReply.Parse(aspect, reply, 4, out string? failure);
                Assert.Equal(ratings is null, failure is not null);
                Assert.True(ratings is null || ratings.All(r => r.Rating is "N/A" or "1" or "2" or "3" or "4" or "5"));
            }
        }
    }

    [Theory]
    [InlineData("Good.\nOverall Score: 7", 7)]
    [InlineData("Good.\nOverall Score: 7.5\n", 7.5)]
    [InlineData("Good.\nOverall Score: 8/10", 8)]
    [InlineData("Overall Score: 10", 10)]
    public void Should_read_critiques(string reply, double score)
    {
        var critique = CritiqueReply.Parse(reply, out string? failure);
        Assert.Null(failure);
        Assert.Equal(score, critique!.Score);
    }

    [Theory]
    [InlineData("Good.", "0 lines")]
    [InlineData("Overall Score: 3\nOverall Score: 4", "2 lines")]
    [InlineData("x\nOverall Score: high", "no number")]
    [InlineData("x\nOverall Score: 11", "no number")]
    [InlineData("x\nOverall Score: 0", "no number")]
    public void Should_say_why_a_critique_has_no_score(string reply, string reason)
    {
        Assert.Null(CritiqueReply.Parse(reply, out string? failure));
        Assert.Contains(reason, failure, StringComparison.Ordinal);
    }
}
