using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Farm.Annotation.Replies;
using Farm.Annotation.Tests.Metrics;
using Farm.Annotation.Tests.Replies;
using Farm.Annotation.UltraFeedback;
using Farm.Core;

namespace Farm.Annotation.Tests.UltraFeedback;

public partial class UltraFeedbackAnnotatorTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    private static UltraFeedbackRecord Record(string instruction = "do", string source = "sharegpt", int completions = 4) => new("f, row 1", new JsonObject
    {
        ["source"] = source,
        ["instruction"] = instruction,
        ["correct_answers"] = new JsonArray("it's \"so\""),
        ["incorrect_answers"] = new JsonArray("None"),
        ["completions"] = new JsonArray([.. Enumerable.Range(0, completions).Select(i => (JsonNode)new JsonObject { ["model"] = $"m{i}", ["response"] = $"quality-{i + 1}" })]),
        ["extra"] = 1.50,
    });

    /// <summary>Rates each text by the number in it, so that a wrong mapping back shows.</summary>
    private static string Judge(string prompt)
    {
        bool typed = prompt.Contains("Type:", StringComparison.Ordinal);
        return string.Join("\n\n", TextPattern().Matches(prompt).Select(m => typed
            ? $"Type: None\nRationale: t\nRating: {m.Groups[1].Value}\nRationale: r"
            : $"Rating: {m.Groups[1].Value}\nRationale: r"));
    }

    [Fact]
    public async Task Should_map_ratings_back_whatever_the_order_and_record_it()
    {
        var records = Enumerable.Range(0, 20).Select(i => Record($"do {i}")).ToList();
        var client = new ScriptedClient((prompt, _) => Judge(prompt));
        var failures = await new UltraFeedbackAnnotator(new Respondent(client, "m"), new UltraFeedbackOptions { Rounds = 2 }).AnnotateAsync(records, null, CancellationToken.None);
        Assert.Empty(failures);
        Assert.Equal(20 * 4 * 2, client.Requests.Count);
        foreach (var record in records)
        {
            for (int j = 0; j < 4; j++)
            {
                Assert.All(Aspects.All, a => Assert.Equal([$"{j + 1}", $"{j + 1}"], record.Completions[j].Ratings(a)));
                Assert.Equal(j + 1, record.Completions[j].MeanOfAspects());
            }

            Assert.Equal(2, record.Node["annotation_orders"]!["honesty"]!.AsArray().Count);
        }

        Assert.True(records.Select(r => r.Node["annotation_orders"]!["honesty"]!.ToJsonString()).Distinct().Count() > 5);
        var request = client.Requests.First();
        Assert.Equal((500, 0, 0.6), (request.GetProperty("max_tokens").GetInt32(), request.GetProperty("temperature").GetDouble(), request.GetProperty("top_p").GetDouble()));
        Assert.Equal("system", request.GetProperty("messages")[0].GetProperty("role").GetString());
    }

    [Fact]
    public async Task Should_try_ten_times_and_then_report_the_failure_and_keep_no_empty_list()
    {
        var record = Record();
        var client = new ScriptedClient((prompt, _) => prompt.Contains("certainty", StringComparison.Ordinal) ? "I would rather not." : Judge(prompt));
        var failures = await new UltraFeedbackAnnotator(new Respondent(client, "m"), new UltraFeedbackOptions()).AnnotateAsync([record], null, CancellationToken.None);
        var failure = Assert.Single(failures);
        Assert.Equal(("honesty", "I would rather not."), (failure.What, failure.Reply));
        Assert.Contains("after 10 attempts", failure.Reason, StringComparison.Ordinal);
        Assert.Equal(13, client.Requests.Count);
        Assert.Null(record.Completions[0].Node["annotations"]!["honesty"]);
        Assert.Equal("honesty", record.Node["annotation_failures"]![0]!["aspect"]!.GetValue<string>());

        // A later run asks for what is missing alone, and clears the failure.
        var better = new ScriptedClient((prompt, n) => n < 3 ? "no" : Judge(prompt));
        Assert.Empty(await new UltraFeedbackAnnotator(new Respondent(better, "m"), new UltraFeedbackOptions()).AnnotateAsync([record], null, CancellationToken.None));
        Assert.Equal(4, better.Requests.Count);
        Assert.Null(record.Node["annotation_failures"]);
    }

    [Fact]
    public async Task Should_report_a_server_that_does_not_answer()
    {
        var failures = await new UltraFeedbackAnnotator(new Respondent(new ScriptedClient((_, _) => null), "m"), new UltraFeedbackOptions()).AnnotateAsync([Record()], null, CancellationToken.None);
        Assert.Equal(4, failures.Count);
        Assert.All(failures, f => Assert.Contains("server_error", f.Reason, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Should_refuse_records_without_four_completions() =>
        Assert.Contains("has 3 completions", (await Assert.ThrowsAsync<BadInputException>(() =>
            new UltraFeedbackAnnotator(new Respondent(new ScriptedClient((_, _) => null), "m"), new UltraFeedbackOptions()).AnnotateAsync([Record(completions: 3)], null, CancellationToken.None))).Message, StringComparison.Ordinal);

    [Fact]
    public void Should_show_every_order_once_when_all_are_asked_for()
    {
        var orders = UltraFeedbackAnnotator.Orders("i", Aspect.Honesty, 3, 24);
        Assert.Equal(24, orders.Select(o => string.Join(",", o)).Distinct().Count());
        Assert.All(orders, o => Assert.Equal([0, 1, 2, 3], o.Order()));
        Assert.Equal(orders[0], UltraFeedbackAnnotator.Orders("i", Aspect.Honesty, 3, 1)[0]);
    }

    [Fact]
    public void Should_choose_world_knowledge_by_source()
    {
        Assert.Equal((true, "Correct answers: ['it\\'s \"so\"']\nIncorrect answers: ['None']"), (WorldKnowledge.Of(Record(source: "truthful_qa")).HasAnswer, WorldKnowledge.Of(Record(source: "truthful_qa")).Text));
        Assert.True(WorldKnowledge.Of(Record(source: "false_qa")).HasAnswer);
        Assert.Equal("it's \"so\"", WorldKnowledge.Of(Record(source: "flan_v2_cot")).Text);
        Assert.False(WorldKnowledge.Of(Record(source: "evol_instruct")).HasAnswer);
        string[] texts = ["a", "b", "c", "d"];
        foreach (var aspect in new[] { Aspect.Truthfulness, Aspect.Helpfulness })
        {
            Assert.Contains("it's", UltraFeedbackTemplates.BuiltIn.ForAspect(aspect, "i", texts, WorldKnowledge.Of(Record(source: "flan"))), StringComparison.Ordinal);
            Assert.DoesNotContain("World knowledge", UltraFeedbackTemplates.BuiltIn.ForAspect(aspect, "i", texts, WorldKnowledge.Of(Record())), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Should_leave_braces_in_texts_alone()
    {
        string prompt = UltraFeedbackTemplates.BuiltIn.ForAspect(Aspect.Honesty, "{text_1} {x}", ["{instruction}", "b", "c", "d"], WorldKnowledge.Of(Record()));
        Assert.Contains("{text_1} {x}", prompt, StringComparison.Ordinal);
        Assert.Contains("<text 1> {instruction}", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_load_templates_of_ones_own_and_check_their_slots()
    {
        _scratch.Write("t/honesty.txt", "{instruction}|{text_1}{text_2}{text_3}{text_4}");
        var own = UltraFeedbackTemplates.Load(_scratch["t"]);
        Assert.Equal("i|abcd", own.ForAspect(Aspect.Honesty, "i", ["a", "b", "c", "d"], WorldKnowledge.Of(Record())));
        Assert.Equal(UltraFeedbackTemplates.BuiltIn.System, own.System);
        _scratch.Write("t/honesty.txt", "{instruction} {text_1} {text_2} {text_3}");
        Assert.Contains("slot {text_4} nowhere", Assert.Throws<BadInputException>(() => UltraFeedbackTemplates.Load(_scratch["t"])).Message, StringComparison.Ordinal);
        _scratch.Write("t/honesty.txt", "{instruction} {text_1} {text_2} {text_3} {text_4} {text_1}");
        Assert.Contains("slot {text_1} 2 times", Assert.Throws<BadInputException>(() => UltraFeedbackTemplates.Load(_scratch["t"])).Message, StringComparison.Ordinal);
        _scratch.Write("t/honesty.txt", "{instruction} {text_1} {text_2} {text_3} {text_4} {text_5}");
        Assert.Contains("slot {text_5}", Assert.Throws<BadInputException>(() => UltraFeedbackTemplates.Load(_scratch["t"])).Message, StringComparison.Ordinal);
        Directory.CreateDirectory(_scratch["empty"]);
        Assert.Contains("has no template", Assert.Throws<BadInputException>(() => UltraFeedbackTemplates.Load(_scratch["empty"])).Message, StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<BadInputException>(() => UltraFeedbackTemplates.Load(_scratch["none"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Should_write_critiques_with_the_principle_as_a_note()
    {
        var record = Record(completions: 2);
        record.Completions[0].Node["custom_system_prompt"] = "Say how sure you are. For instance, say 80%.";
        record.Completions[0].Node["principle"] = "verbalized_calibration";
        var client = new ScriptedClient((prompt, n) => n == 0 ? "no score" : $"{(prompt.Contains("Note: Say how sure you are.\n", StringComparison.Ordinal) ? "noted" : "plain")}\nOverall Score: 8");
        Assert.Empty(await new CritiqueAnnotator(new Respondent(client, "m"), new UltraFeedbackOptions()).CritiqueAsync([record], null, CancellationToken.None));
        Assert.Equal(["noted", "plain"], record.Completions.Select(c => c.Critique));
        Assert.Equal([8.0, 8.0], record.Completions.Select(c => c.OverallScore));
        Assert.Equal(4, client.Requests.Count);
    }

    [Fact]
    public async Task Should_correct_scores_of_ten()
    {
        var record = Record();
        string[] ratings = ["2", "3", "5", "1"];
        for (int i = 0; i < 4; i++)
        {
            record.Completions[i].SetRatings(Aspect.Helpfulness, [new AspectRating(ratings[i], "r")]);
            record.Completions[i].OverallScore = i == 3 ? 9 : 10;
            record.Completions[i].Critique = $"critique {i}";
        }

        var client = new ScriptedClient((prompt, _) => prompt.EndsWith("critique 1\nOverall Score: ", StringComparison.Ordinal) ? "4" : "wrong");
        var (failures, actions) = await new CritiqueAnnotator(new Respondent(client, "m"), new UltraFeedbackOptions()).FixAsync([record], null, CancellationToken.None);
        Assert.Empty(failures);
        Assert.Equal([1.0, 4.0, 10.0, 9.0], record.Completions.Select(c => c.OverallScore));
        Assert.Equal([2.0, 3.0, 5.0, 1.0], record.Completions.Select(c => c.FineGrainedScore));
        Assert.Equal(1, client.Requests.Single().GetProperty("max_tokens").GetInt32());
        Assert.Equal((1, 1, 1, 1), (actions[ScoreFix.Flipped], actions[ScoreFix.AskAgain], actions[ScoreFix.Kept], actions[ScoreFix.None]));
    }

    [Fact]
    public void Should_read_single_records_lists_text_scores_and_not_applicable_and_write_all_back()
    {
        const string Json = """
            [{"source": "flan", "instruction": "é", "unknown": {"a": [1, 2.50]}, "completions": [
              {"response": "r", "annotations": {"honesty": {"Rating": "N/A", "Rationale": "x"}, "helpfulness": [{"Rating": "4", "Type": ["1"]}, {"Rating": "2"}], "truthfulness": []}, "overall_score": "7.5/10"}]}]
            """;
        var record = UltraFeedbackFile.Read(_scratch.Write("u.json", Json))[0];
        var completion = record.Completions[0];
        Assert.Equal((7.5, 3.0), (completion.OverallScore!.Value, completion.MeanOfAspects()!.Value));
        Assert.Null(completion.MeanRating(Aspect.Honesty));
        Assert.Empty(completion.Ratings(Aspect.Truthfulness));
        UltraFeedbackFile.Write(_scratch["v.json"], [record]);
        string written = File.ReadAllText(_scratch["v.json"]);
        Assert.Contains("2.50", written, StringComparison.Ordinal);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Json), JsonNode.Parse(written)));
    }

    [Theory]
    [InlineData("""[{"completions": []}]""", "row 1: the field 'instruction' is missing")]
    [InlineData("""[{"instruction": 3}]""", "row 1, field 'instruction': must be a string")]
    [InlineData("""[{"instruction": "a"}]""", "row 1: the field 'completions' must be a list")]
    [InlineData("""[{"instruction": "a", "completions": [{"response": "x", "overall_score": "high"}, {"response": "y", "overall_score": 3}]}]""", "completion 1, field 'overall_score'")]
    public void Should_name_what_is_wrong_with_a_record(string json, string reason) => Assert.Contains(reason, Assert.Throws<BadInputException>(() =>
        UltraFeedbackFile.Read(_scratch.Write("u.json", json)).SelectMany(r => new Binarization { Source = ScoreSource.Overall }.Derive(r)).ToList()).Message, StringComparison.Ordinal);

    private static UltraFeedbackRecord Scored(params double?[] scores)
    {
        var record = Record(completions: scores.Length);
        for (int i = 0; i < scores.Length; i++)
        {
            record.Completions[i].OverallScore = scores[i];
        }

        return record;
    }

    [Fact]
    public void Should_make_pairs_of_scores()
    {
        var record = Scored(3, 9, null, 9, 1);
        (double, double)[] Pairs(Pairing pairing, bool dropTies = true) =>
            [.. new Binarization { Source = ScoreSource.Overall, Pairing = pairing, DropTies = dropTies }.Derive(record).Select(p => (p.ChosenScore, p.RejectedScore))];
        Assert.Equal([(9, 3), (9, 1)], Pairs(Pairing.BestVsEach));
        Assert.Equal([(9, 1)], Pairs(Pairing.BestVsWorst));
        Assert.Equal(5, Pairs(Pairing.AllPairs).Length);
        Assert.Equal(6, Pairs(Pairing.AllPairs, dropTies: false).Length);
        Assert.Contains(Assert.Single(Pairs(Pairing.BestVsRandom)), new[] { (9.0, 3.0), (9.0, 1.0) });
        Assert.Empty(new Binarization { Source = ScoreSource.Overall }.Derive(Scored(5, 5)));
        Assert.Empty(new Binarization { Source = ScoreSource.MeanAspect }.Derive(record));
    }

    [Fact]
    public void Should_draw_the_random_other_by_seed_and_instruction()
    {
        var rule = new Binarization { Source = ScoreSource.Overall };
        var records = Enumerable.Range(0, 40).Select(i =>
        {
            var r = Scored(1, 2, 3, 9);
            r.Node["instruction"] = $"i{i}";
            return r;
        }).ToList();
        double[] drawn = [.. records.SelectMany(rule.Derive).Select(p => p.RejectedScore)];
        Assert.Equal([1.0, 2, 3], drawn.Distinct().Order());
        Assert.Equal(drawn, records.SelectMany(rule.Derive).Select(p => p.RejectedScore));
        Assert.NotEqual(drawn, records.SelectMany((rule with { Seed = 1 }).Derive).Select(p => p.RejectedScore));
        PreferencePairs.Write(_scratch["p.json"], records.SelectMany(rule.Derive));
        var rows = JsonNode.Parse(File.ReadAllText(_scratch["p.json"]))!.AsArray();
        Assert.All(rows, r => Assert.Equal("quality-4", r![$"output_{r["preference"]!.GetValue<int>()}"]!.GetValue<string>()));
        Assert.Equal(2, rows.Select(r => r!["preference"]!.GetValue<int>()).Distinct().Count());
    }

    [GeneratedRegex(@"<text \d> quality-(\d)")]
    private static partial Regex TextPattern();
}
