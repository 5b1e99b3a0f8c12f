using Farm.Core;

namespace Farm.Inference.Tests;

public class BestOfNTests
{
    private static readonly GenerationOptions Options = new() { NumReturnSequences = 6, MaxNewTokens = 7, EosIds = [3, 7, 11] };

    [Fact]
    public void Samples_are_scored_and_ranked_by_falling_reward()
    {
        var prompts = TestModels.Prompts(9, 4, 13);
        var ranked = Run(prompts);
        var drawn = TestModels.Generate(TestModels.Policy(), prompts, Options);
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, null);
        Assert.Equal(3, ranked.Count);
        foreach (var prompt in ranked)
        {
            var samples = drawn[prompt.Prompt.Index].Samples;
            float[] rewards = scorer.Score([ScoringGroup.Of(0, prompt.Prompt.Ids, samples.Select(sample => sample.Content.ToArray()))])[0];
            Assert.Equal(rewards.OrderDescending(), prompt.Samples.Select(sample => sample.Reward));
            Assert.All(prompt.Samples, sample =>
            {
                Assert.Equal(rewards[sample.Sample.SampleIndex], sample.Reward);
                Assert.Equal(samples[sample.Sample.SampleIndex].TokenIds, sample.Sample.TokenIds);
            });
            Assert.Same(prompt.Samples[0], prompt.Best);
        }
    }

    [Fact]
    public void A_resumed_run_ranks_the_rest_alike()
    {
        var prompts = TestModels.Prompts(9, 4, 13);
        var whole = Run(prompts);
        var rest = Run([prompts[2]]);
        Assert.Equal(whole.Single(p => p.Prompt.Index == 2).Samples.Select(s => (s.Sample.SampleIndex, s.Reward)),
            rest[0].Samples.Select(s => (s.Sample.SampleIndex, s.Reward)));
    }

    [Fact]
    public void Equal_rewards_keep_the_lower_index_first() => Assert.Equal([1, 3, 0, 2], Ranking.Order([1f, 2f, 1f, 2f]));

    [Fact]
    public void Vocabularies_that_differ_are_refused_with_a_way_out()
    {
        var error = Assert.Throws<BadInputException>(() => Run(TestModels.Prompts(3), new FakeTokenizer(), new FakeTokenizer(40)));
        Assert.Contains("--score-text", error.Message, StringComparison.Ordinal);
        Assert.Throws<BadInputException>(() => Run(TestModels.Prompts(3), new FakeTokenizer(), new FakeTokenizer(41, "_")));
        Assert.NotEmpty(Run(TestModels.Prompts(3), new FakeTokenizer(), new FakeTokenizer()));
    }

    [Fact]
    public void Text_is_decoded_cleaned_and_tokenised_again()
    {
        var tokenizer = new FakeTokenizer();
        string text = tokenizer.Decode([8, 9, 12]);
        List<Prompt> prompts = [new(0, tokenizer.Encode(text), text)];
        var ranked = Run(prompts, tokenizer, tokenizer, new BestOfNOptions { ScoreText = true, TextCleanup = sample => sample.Replace("J", "", StringComparison.Ordinal) });
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, tokenizer);
        foreach (var sample in ranked[0].Samples)
        {
            string cleaned = sample.Sample.Text!.Replace("J", "", StringComparison.Ordinal);
            float expected = scorer.Score([scorer.TextGroup(0, text, [cleaned])])[0][0];
            Assert.Equal(expected, sample.Reward, 1e-5);
        }

        Assert.Contains(ranked[0].Samples, sample => sample.Sample.Text!.Contains('J'));
    }

    [Fact]
    public void Scoring_text_without_text_is_refused()
    {
        var text = new BestOfNOptions { ScoreText = true };
        Assert.Contains("tokenizer", Assert.Throws<BadInputException>(() => Run(TestModels.Prompts(3), options: text)).Message, StringComparison.Ordinal);
        var error = Assert.Throws<BadInputException>(() => Run(TestModels.Prompts(3), new FakeTokenizer(), new FakeTokenizer(), text));
        Assert.Contains("Row 1:", error.Message, StringComparison.Ordinal);
    }

    private static List<RankedPrompt> Run(IReadOnlyList<Prompt> prompts, FakeTokenizer? policy = null, FakeTokenizer? reward = null, BestOfNOptions? options = null)
    {
        using var policyModel = TestModels.Policy();
        using var rewardModel = TestModels.Reward();
        using var generator = new Generator(policyModel, policy, Options);
        using var scorer = new Scorer(rewardModel, reward);
        var ranked = new List<RankedPrompt>();
        BestOfN.Run(generator, scorer, prompts, options ?? new BestOfNOptions(), ranked.Add);
        return ranked;
    }
}
