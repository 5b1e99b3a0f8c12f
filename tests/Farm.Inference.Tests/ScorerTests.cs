using Farm.Core;
using Farm.Models.Llama;
using Farm.Reference;

namespace Farm.Inference.Tests;

public class ScorerTests
{
    private static readonly int[][] Responses = [TestModels.Ids(5, 1), TestModels.Ids(1, 2), TestModels.Ids(30, 3), [], TestModels.Ids(140, 4), TestModels.Ids(5, 5)];

    [Fact]
    public void A_reward_is_the_head_at_the_last_token_of_prompt_and_response()
    {
        int[] prompt = TestModels.Ids(9, 8);
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, null);
        float[] rewards = scorer.Score([ScoringGroup.Of(0, prompt, Responses)])[0];
        for (int i = 0; i < Responses.Length; i++)
        {
            Assert.Equal(NaiveReward([.. prompt, .. Responses[i]]), rewards[i], 1e-4);
        }

        Assert.Equal(0, scorer.UsedPages);
    }

    [Fact]
    public void Scoring_together_equals_scoring_alone()
    {
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, null);
        int[][] prompts = [TestModels.Ids(9, 8), TestModels.Ids(131, 9), TestModels.Ids(1, 10)];
        var groups = prompts.Select((prompt, i) => ScoringGroup.Of(i, prompt, Responses)).ToList();
        float[][] together = scorer.Score(groups);
        for (int g = 0; g < groups.Count; g++)
        {
            for (int r = 0; r < Responses.Length; r++)
            {
                using var alone = new Scorer(model, null, new ScorerOptions { Rows = 1 + (7 * r) });
                Assert.Equal(together[g][r], alone.Score([ScoringGroup.Of(g, prompts[g], [Responses[r]])])[0][0]);
            }
        }
    }

    [Fact]
    public void Scarce_memory_changes_no_reward()
    {
        using var model = TestModels.Reward();
        int[] prompt = TestModels.Ids(131, 9);
        var group = ScoringGroup.Of(0, prompt, Responses);
        using var plenty = new Scorer(model, null);
        long page = MemoryPlan.KvBytesPerToken(TestModels.Config, DType.F32) * KvPool.PageTokens;
        using var scarce = new Scorer(model, null, new ScorerOptions { KvBudgetBytes = 4 * page, Rows = 50 });
        Assert.Equal(plenty.Score([group])[0], scarce.Score([group, group])[1]);
        using var tooScarce = new Scorer(model, null, new ScorerOptions { KvBudgetBytes = 3 * page });
        Assert.Throws<BadInputException>(() => tooScarce.Score([group]));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(12)]
    [InlineData(9)]
    [InlineData(8)]
    [InlineData(1)]
    public void What_is_too_long_is_cut_on_the_right(int maxLength)
    {
        int[] prompt = TestModels.Ids(9, 8);
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, new FakeTokenizer { ModelMaxLength = maxLength });
        float[] rewards = scorer.Score([ScoringGroup.Of(0, prompt, Responses)])[0];
        for (int i = 0; i < Responses.Length; i++)
        {
            int[] whole = [.. prompt, .. Responses[i]];
            Assert.Equal(NaiveReward(whole[..Math.Min(whole.Length, maxLength)]), rewards[i], 1e-4);
        }
    }

    [Fact]
    public void The_longest_length_is_the_least_of_option_tokenizer_and_context()
    {
        using var model = TestModels.Reward();
        Assert.Equal(300, Length(null, null));
        Assert.Equal(300, Length(1000, null));
        Assert.Equal(20, Length(20, null));
        Assert.Equal(10, Length(20, 10));

        int Length(int? tokenizer, int? option)
        {
            using var scorer = new Scorer(model, new FakeTokenizer { ModelMaxLength = tokenizer }, new ScorerOptions { MaxLength = option });
            return scorer.MaxLength;
        }
    }

    [Fact]
    public void Text_is_tokenised_whole_and_shares_what_it_has_in_common()
    {
        using var model = TestModels.Reward();
        var tokenizer = new FakeTokenizer();
        using var scorer = new Scorer(model, tokenizer);
        // "eE" is one token, so behind a prompt that ends in "e"-like text the last prompt token can change; find such a pair.
        string prompt = tokenizer.Decode(TestModels.Ids(8, 30).Where(id => id > 1).ToArray());
        string[] texts = ["", tokenizer.Decode([7, 9, 30]), tokenizer.Decode([12, 5])];
        var group = scorer.TextGroup(3, prompt, texts);
        float[] rewards = scorer.Score([group])[0];
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(NaiveReward(tokenizer.Encode(prompt + texts[i])), rewards[i], 1e-4);
        }

        Assert.Equal(tokenizer.Encode(prompt), group.Prefix);
    }

    [Fact]
    public void A_prompt_whose_last_token_merges_with_the_text_shares_only_what_comes_before()
    {
        using var model = TestModels.Reward();
        var tokenizer = new FakeTokenizer(121);
        // Token 75 is a letter and its capital; the letter alone is token 65 + something below 121.
        string pair = tokenizer.Decode([75]);
        string prompt = tokenizer.Decode([7, 9]) + pair[0];
        using var scorer = new Scorer(model, tokenizer);
        var group = scorer.TextGroup(0, prompt, [pair[1..], "x"]);
        Assert.Equal(group.Prefix.Length - 1, group.Responses[0].Shared);
        Assert.Equal(75, group.Responses[0].Ids[0]);
        Assert.Equal(group.Prefix.Length, group.Responses[1].Shared);
    }

    [Fact]
    public void Nothing_to_score_names_the_row()
    {
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, null);
        Assert.Contains("Row 7:", Assert.Throws<BadInputException>(() => scorer.Score([ScoringGroup.Of(6, [], [[]])])).Message, StringComparison.Ordinal);
        Assert.Contains("Row 8:", Assert.Throws<BadInputException>(() => scorer.Score([ScoringGroup.Of(7, [1], [[41]])])).Message, StringComparison.Ordinal);
        Assert.Empty(scorer.Score([]));
        Assert.Empty(scorer.Score([ScoringGroup.Of(0, [1, 2], [])])[0]);
    }

    [Fact]
    public void A_reward_that_is_not_a_number_names_the_row()
    {
        // Finite weights whose product overflows: infinity minus infinity in the head.
        var checkpoint = new MemoryCheckpoint(TestModels.Config, 2, "backbone_model.", rewardHead: true);
        float[] head = checkpoint.Values("reward_head.weight");
        for (int i = 0; i < head.Length; i++)
        {
            head[i] = i % 2 == 0 ? float.MaxValue : float.MinValue;
        }

        Array.Fill(checkpoint.Values("backbone_model.model.norm.weight"), float.MaxValue);
        using var model = RewardModel.Load(new ReferenceBackend(), checkpoint, TestModels.Config, DType.F32);
        using var scorer = new Scorer(model, null);
        float[]? rewards = null;
        var error = Record.Exception(() => rewards = scorer.Score([ScoringGroup.Of(9, [1, 2], [[3]])])[0]);
        // In float64 the sum may be infinite rather than NaN; either way a reward that is not finite must not pass.
        Assert.Contains("Row 10: the reward of response 1 is", Assert.IsType<BadInputException>(error).Message, StringComparison.Ordinal);
        Assert.Null(rewards);
    }

    [Fact]
    public void Cancelled_scoring_gives_all_pages_back()
    {
        using var model = TestModels.Reward();
        using var scorer = new Scorer(model, null);
        Assert.Throws<OperationCanceledException>(() => scorer.Score([ScoringGroup.Of(0, [1, 2], Responses)], new CancellationToken(true)));
        Assert.Equal(0, scorer.UsedPages);
    }

    private static double NaiveReward(int[] ids)
    {
        var checkpoint = new MemoryCheckpoint(TestModels.Config, 2, "backbone_model.", rewardHead: true);
        var plain = new MemoryCheckpoint(TestModels.Config, 2);
        var naive = new NaiveLlama(plain, TestModels.Config);
        double[] last = naive.Norm(naive.Hidden(ids)[^1], "model.norm.weight");
        return last.Zip(checkpoint.Values("reward_head.weight"), (x, w) => x * w).Sum() + checkpoint.Values("reward_head.bias")[0];
    }
}
