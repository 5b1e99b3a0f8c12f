using Farm.Annotation.Replies;
using Farm.Annotation.SparseFeedback;
using Farm.Annotation.Tests.Metrics;
using Farm.Annotation.Tests.Replies;
using Farm.Core;

namespace Farm.Annotation.Tests.SparseFeedback;

public class SparseAnnotatorTests
{
    private static SparseAnnotator Annotator(ScriptedClient client, SparsePrompts? prompts = null) => new(new Respondent(client, "m"), prompts ?? SparsePrompts.Create(), new Decoding(), 4);

    [Fact]
    public async Task Should_rate_in_order_and_report_what_cannot_be_read()
    {
        var client = new ScriptedClient((prompt, _) => prompt.Contains("good", StringComparison.Ordinal) ? "6\nfine" : prompt.Contains("mute", StringComparison.Ordinal) ? null : "It is a 3.");
        var (results, failures) = await Annotator(client).RateAsync([new("f, row 1", "i", "nan", "good"), new("f, row 2", "i", "x", "bad"), new("f, row 3", "i", "", "mute")], null, CancellationToken.None);
        Assert.Equal(("good", 6, "6", "nan"), (Assert.Single(results).Output, results[0].Score, results[0].ScoreText, results[0].Input));
        Assert.Equal(["f, row 2", "f, row 3"], failures.Select(f => f.Place));
        Assert.Equal(["It is a 3."], failures[0].Replies);
        Assert.Contains("server_error", failures[1].Reason, StringComparison.Ordinal);
        // Nothing but model and messages: the published annotation uses the server's own defaults.
        Assert.All(client.Requests, r => Assert.Equal(["model", "messages"], r.EnumerateObject().Select(p => p.Name)));
    }

    [Fact]
    public async Task Should_compare_in_both_orders()
    {
        // A judge that always prefers the longer response, and one that always prefers the first place.
        var longer = new ScriptedClient((prompt, _) => prompt.IndexOf("xxx", StringComparison.Ordinal) < prompt.IndexOf("(b):", StringComparison.Ordinal) ? "(a)" : "(b)");
        SparsePair[] pairs = [new("f, row 1", "i", "", "xxx", "y"), new("f, row 2", "i", "", "y", "xxx")];
        Assert.Equal([SparseVerdict.First, SparseVerdict.Second], (await Annotator(longer).RankAsync(pairs, null, CancellationToken.None)).Results.Select(r => r.Verdict));
        Assert.Equal(4, longer.Requests.Count);
        Assert.All((await Annotator(new ScriptedClient((_, _) => "(a)")).RankAsync(pairs, null, CancellationToken.None)).Results, r => Assert.Equal(SparseVerdict.Equal, r.Verdict));
        Assert.Equal(2, (await Annotator(new ScriptedClient((_, _) => "both")).RankAsync(pairs, null, CancellationToken.None)).Failures.Count);
    }

    [Fact]
    public void Should_show_an_input_only_where_there_is_one_unless_asked()
    {
        Assert.DoesNotContain("Input:", SparsePrompts.Create().Rating("i", "nan", "r"), StringComparison.Ordinal);
        Assert.Contains("i\n\nInput:\nsome {response}", SparsePrompts.Create().Rating("i", "some {response}", "r"), StringComparison.Ordinal);
        Assert.Contains("i\n\nInput:\nnan", SparsePrompts.Create(nanInput: true).Rating("i", "", "r"), StringComparison.Ordinal);
    }

    [Fact]
    public void Should_load_a_template_and_check_its_slots()
    {
        using var scratch = new Scratch();
        Assert.Equal("i/r", SparsePrompts.Create(ratingPath: scratch.Write("t", "{instruction}/{response}")).Rating("i", "", "r"));
        Assert.Contains("{response_2}", Assert.Throws<BadInputException>(() => SparsePrompts.Create(rankingPath: scratch.Write("u", "{instruction}{response_1}"))).Message, StringComparison.Ordinal);
    }
}
