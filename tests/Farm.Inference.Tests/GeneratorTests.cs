using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Inference.Tests;

public class GeneratorTests
{
    private static readonly GenerationOptions Greedy = new() { MaxNewTokens = 12, Sampling = new() { Temperature = 0 } };

    [Fact]
    public void Greedy_ids_equal_a_loop_that_recomputes_everything()
    {
        int[] prompt = TestModels.Ids(11, 4);
        var result = TestModels.Generate(TestModels.Policy(), [new Prompt(0, prompt)], Greedy)[0].Samples[0];
        var naive = new NaiveLlama(new MemoryCheckpoint(TestModels.Config), TestModels.Config);
        List<int> ids = [.. prompt];
        for (int t = 0; t < 12; t++)
        {
            double[] logits = naive.Logits([.. ids]);
            int best = Array.IndexOf(logits, logits.Max());
            Assert.Equal(best, result.TokenIds[t]);
            Assert.Equal(logits[best] - Math.Log(logits.Sum(Math.Exp)), result.LogProbs[t], 1e-4);
            ids.Add(best);
        }

        Assert.Equal(FinishReason.Length, result.FinishReason);
        Assert.Null(result.Text);
    }

    [Theory]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(129)]
    public void Sampled_log_probs_are_those_of_the_whole_sequence_across_page_edges(int promptLength)
    {
        var model = TestModels.Policy();
        var prompts = TestModels.Prompts(promptLength);
        var sample = TestModels.Generate(model, prompts, new GenerationOptions { MaxNewTokens = 131 })[0].Samples[0];
        Assert.Equal(131, sample.TokenIds.Length);
        using var evaluator = new Evaluator(model);
        float[] expected = evaluator.LogProbs(prompts[0].Ids, sample.TokenIds).LogProbs;
        for (int t = 0; t < expected.Length; t++)
        {
            Assert.Equal(expected[t], sample.LogProbs[t], 1e-4);
        }
    }

    [Fact]
    public void A_sample_is_the_same_for_any_n_and_any_width()
    {
        var model = TestModels.Policy();
        var prompts = TestModels.Prompts(9, 3, 17, 5);
        var options = new GenerationOptions { MaxNewTokens = 8, Seed = 77, EosIds = [3, 7, 11] };
        var all = TestModels.Generate(model, prompts, options with { NumReturnSequences = 16, BatchSequences = 64 });
        foreach (int n in (int[])[1, 8, 16])
        {
            foreach (int width in (int[])[1, 3, 16, 0])
            {
                var some = TestModels.Generate(model, prompts, options with { NumReturnSequences = n, BatchSequences = width, PrefillRows = 4 * (width + 1) });
                for (int p = 0; p < prompts.Count; p++)
                {
                    for (int k = 0; k < n; k++)
                    {
                        Assert.Equal(all[p].Samples[k].TokenIds, some[p].Samples[k].TokenIds);
                        Assert.Equal(all[p].Samples[k].LogProbs, some[p].Samples[k].LogProbs);
                        Assert.Equal(k, some[p].Samples[k].SampleIndex);
                    }
                }
            }
        }

        var other = TestModels.Generate(model, prompts, options with { NumReturnSequences = 16, Seed = 78 });
        Assert.True(Enumerable.Range(0, 16).Count(k => !other[0].Samples[k].TokenIds.SequenceEqual(all[0].Samples[k].TokenIds)) > 8);
        Assert.True(all[0].Samples.Select(sample => string.Join(',', sample.TokenIds)).Distinct().Count() > 8);
    }

    [Fact]
    public void A_prompt_keeps_its_samples_when_the_others_are_gone()
    {
        var model = TestModels.Policy();
        var prompts = TestModels.Prompts(9, 3, 17);
        var options = new GenerationOptions { MaxNewTokens = 6, NumReturnSequences = 3 };
        var all = TestModels.Generate(model, prompts, options);
        var alone = TestModels.Generate(model, [prompts[2]], options);
        Assert.Equal(all[2].Samples.Select(s => s.TokenIds), alone[0].Samples.Select(s => s.TokenIds));
    }

    [Fact]
    public void A_finished_place_goes_to_the_next_sample_at_once()
    {
        var model = TestModels.Policy();
        var options = new GenerationOptions { MaxNewTokens = 20, NumReturnSequences = 5, BatchSequences = 4, EosIds = [1, 2, 3, 4, 5, 6] };
        var prompts = TestModels.Prompts(4, 6, 8, 2, 9, 3);
        using var generator = new Generator(model, null, options);
        var running = new List<int>();
        long samples = 0;
        int waiting = 30;
        generator.Generate(prompts, _ => { }, progress =>
        {
            // Samples not done and not running still wait; a step runs at full width as long as there are any.
            running.Add(progress.Running);
            waiting = 30 - (int)progress.SamplesDone - progress.Running;
            samples = progress.SamplesDone;
        });
        Assert.Equal(30, samples);
        Assert.Equal(0, waiting);
        Assert.Equal(generator.Statistics.DecodeTokens, (long)(generator.Statistics.MeanBatch * generator.Statistics.Steps + 0.5));
        double ideal = generator.Statistics.DecodeTokens / 4.0;
        Assert.InRange(generator.Statistics.Steps, ideal, ideal + 20);
        Assert.Equal(prompts.Sum(prompt => prompt.Ids.Length), generator.Statistics.PrefillTokens);
    }

    [Fact]
    public void Eos_ends_a_sample_and_is_kept_out_of_its_content_and_text()
    {
        var model = TestModels.Policy();
        var prompts = TestModels.Prompts(7);
        var free = TestModels.Generate(model, prompts, Greedy)[0].Samples[0];
        int eos = free.TokenIds[5];
        int at = Array.IndexOf(free.TokenIds, eos);
        var stopped = TestModels.Generate(model, prompts, Greedy with { EosIds = [eos] }, new FakeTokenizer())[0].Samples[0];
        Assert.Equal(free.TokenIds[..(at + 1)], stopped.TokenIds);
        Assert.Equal(FinishReason.Eos, stopped.FinishReason);
        Assert.Equal(at, stopped.ContentLength);
        Assert.Equal(new FakeTokenizer().Decode(free.TokenIds.AsSpan(0, at)), stopped.Text);
        Assert.Equal("eos", stopped.FinishReason.Name());
    }

    [Fact]
    public void Eos_ids_come_from_configuration_and_tokenizer()
    {
        using var generator = new Generator(TestModels.Policy(TestModels.Config with { EosIds = [5, 1] }), new FakeTokenizer(), Greedy);
        Assert.Equal([5, 1], generator.EosIds);
        using var other = new Generator(TestModels.Policy(TestModels.Config with { EosIds = [5] }), new FakeTokenizer(), Greedy);
        Assert.Equal([5, 1], other.EosIds);
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    [InlineData(1, 4)]
    [InlineData(0, 3)]
    public void A_stop_string_ends_a_sample_even_where_it_spans_tokens(int start, int length)
    {
        var model = TestModels.Policy();
        var tokenizer = new FakeTokenizer();
        var prompts = TestModels.Prompts(7);
        var options = Greedy with { Sampling = new() { Temperature = 1.3f }, EosIds = [] };
        var free = TestModels.Generate(model, prompts, options, tokenizer)[0].Samples[0];
        string stop = tokenizer.Decode(free.TokenIds.AsSpan(start, length));
        var stopped = TestModels.Generate(model, prompts, options with { StopStrings = ["never this", stop] }, tokenizer)[0].Samples[0];
        int cut = free.Text!.IndexOf(stop, StringComparison.Ordinal);
        Assert.Equal(FinishReason.Stop, stopped.FinishReason);
        Assert.Equal(free.Text[..cut], stopped.Text);
        Assert.Equal(free.TokenIds[..stopped.TokenIds.Length], stopped.TokenIds);
        Assert.True(stopped.TokenIds.Length < free.TokenIds.Length);
        string content = tokenizer.Decode(stopped.Content);
        Assert.StartsWith(content, stopped.Text, StringComparison.Ordinal);
        Assert.True(content.Length >= cut - 1);
    }

    [Fact]
    public void A_stop_string_completed_by_the_last_token_counts_though_the_decoder_held_it_back()
    {
        var model = TestModels.Policy();
        var tokenizer = new FakeTokenizer();
        var prompts = TestModels.Prompts(7);
        var options = Greedy with { EosIds = [], MaxNewTokens = 4, Sampling = new() { Temperature = 1.3f } };
        var free = TestModels.Generate(model, prompts, options, tokenizer)[0].Samples[0];
        string stop = free.Text![^1..];
        var stopped = TestModels.Generate(model, prompts, options with { StopStrings = [stop] }, tokenizer)[0].Samples[0];
        Assert.Equal(FinishReason.Stop, stopped.FinishReason);
        Assert.Equal(free.Text[..free.Text.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
    }

    [Fact]
    public void Generation_ends_at_the_context()
    {
        var sample = TestModels.Generate(TestModels.Policy(), TestModels.Prompts(295), Greedy)[0].Samples[0];
        Assert.Equal(5, sample.TokenIds.Length);
        Assert.Equal(FinishReason.Length, sample.FinishReason);
    }

    [Fact]
    public void A_repetition_penalty_sees_prompt_and_response_of_each_sample_in_any_place()
    {
        var model = TestModels.Policy();
        var prompts = TestModels.Prompts(9, 3, 17, 5);
        var options = new GenerationOptions { MaxNewTokens = 9, NumReturnSequences = 3, EosIds = [3, 7, 11], Sampling = new() { RepetitionPenalty = 5f } };
        var wide = TestModels.Generate(model, prompts, options);
        foreach (int width in (int[])[1, 2, 5])
        {
            var narrow = TestModels.Generate(model, prompts, options with { BatchSequences = width });
            Assert.Equal(wide.SelectMany(p => p.Samples).Select(s => s.TokenIds), narrow.SelectMany(p => p.Samples).Select(s => s.TokenIds));
        }

        // Greedy with an overwhelming penalty never repeats a token of prompt or response whose logit is positive.
        var greedy = options with { NumReturnSequences = 1, MaxNewTokens = 12, EosIds = [], Sampling = new() { Temperature = 0, RepetitionPenalty = 1e6f } };
        foreach (var result in TestModels.Generate(model, prompts, greedy))
        {
            int[] ids = [.. result.Prompt.Ids, .. result.Samples[0].TokenIds];
            Assert.Equal(result.Samples[0].TokenIds.Length, result.Samples[0].TokenIds.Distinct().Count());
            Assert.DoesNotContain(result.Samples[0].TokenIds[0], result.Prompt.Ids);
            Assert.NotEmpty(ids);
        }
    }

    [Fact]
    public void Ids_that_the_tokenizer_does_not_know_are_never_drawn()
    {
        var results = TestModels.Generate(TestModels.Policy(), TestModels.Prompts(5), new GenerationOptions { NumReturnSequences = 40, MaxNewTokens = 5, EosIds = [] }, new FakeTokenizer(6));
        Assert.All(results[0].Samples, sample => Assert.All(sample.TokenIds, id => Assert.InRange(id, 0, 5)));
    }

    [Fact]
    public void Cancellation_stops_between_steps_keeps_what_is_done_and_gives_all_pages_back()
    {
        using var source = new CancellationTokenSource();
        using var generator = new Generator(TestModels.Policy(), null, new GenerationOptions { NumReturnSequences = 2, MaxNewTokens = 5, BatchSequences = 3 });
        var done = new List<PromptResult>();
        Assert.Throws<OperationCanceledException>(() => generator.Generate(TestModels.Prompts(4, 6, 8, 9), done.Add, progress =>
        {
            if (progress.PromptsDone == 1)
            {
                source.Cancel();
            }
        }, source.Token));
        Assert.Single(done);
        Assert.All(done[0].Samples, sample => Assert.Equal(5, sample.TokenIds.Length));
        Assert.Equal(0, generator.UsedPages);

        // The generator can be used again afterwards.
        generator.Generate(TestModels.Prompts(4), done.Add);
        Assert.Equal(done[0].Samples.Select(s => s.TokenIds), done[1].Samples.Select(s => s.TokenIds));
    }

    [Fact]
    public void A_callback_that_throws_leaves_no_page_rented()
    {
        using var generator = new Generator(TestModels.Policy(), null, Greedy);
        Assert.Throws<InvalidOperationException>(() => generator.Generate(TestModels.Prompts(4, 6), _ => throw new InvalidOperationException()));
        Assert.Equal(0, generator.UsedPages);
    }

    [Fact]
    public void Scarce_memory_narrows_the_batch_and_changes_no_result()
    {
        var model = TestModels.Policy();
        long page = MemoryPlan.KvBytesPerToken(model.Config, DType.F32) * KvPool.PageTokens;
        var options = new GenerationOptions { NumReturnSequences = 4, MaxNewTokens = 9, EosIds = [3, 7] };
        var prompts = TestModels.Prompts(9, 3, 130);
        var wide = TestModels.Generate(model, prompts, options);
        foreach (int pages in (int[])[3, 4, 6])
        {
            foreach (int width in (int[])[0, 10])
            {
                var scarce = options with { KvBudgetBytes = pages * page, BatchSequences = width };
                Assert.True(GenerationPlan.For(model, scarce, prompts).Pages <= pages);
                var narrow = TestModels.Generate(model, prompts, scarce);
                Assert.Equal(wide.SelectMany(p => p.Samples).Select(s => s.TokenIds), narrow.SelectMany(p => p.Samples).Select(s => s.TokenIds));
            }
        }

        var error = Assert.Throws<BadInputException>(() => GenerationPlan.For(model, options with { KvBudgetBytes = 2 * page }, prompts));
        Assert.Contains("130 tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shared_prompt_is_held_once()
    {
        using var generator = new Generator(TestModels.Policy(), null, new GenerationOptions { NumReturnSequences = 16, MaxNewTokens = 2, BatchSequences = 16, EosIds = [] });
        generator.Generate(TestModels.Prompts(260), _ => { });
        long page = MemoryPlan.KvBytesPerToken(TestModels.Config, DType.F32) * KvPool.PageTokens;
        Assert.Equal((3 + 16) * page, generator.Statistics.PeakKvBytes);
    }

    [Theory]
    [InlineData(0, "no tokens")]
    [InlineData(300, "300 tokens")]
    public void A_prompt_of_unusable_length_is_named_by_its_row(int length, string part)
    {
        using var generator = new Generator(TestModels.Policy(), null, Greedy);
        var error = Assert.Throws<BadInputException>(() => generator.Generate([new Prompt(0, [1]), new Prompt(17, new int[length])], _ => Assert.Fail("work began")));
        Assert.Contains("Row 18:", error.Message, StringComparison.Ordinal);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_id_outside_the_vocabulary_is_named_by_its_row()
    {
        using var generator = new Generator(TestModels.Policy(), null, Greedy);
        var error = Assert.Throws<BadInputException>(() => generator.Generate([new Prompt(2, [1, 41])], _ => { }));
        Assert.Contains("Row 3:", error.Message, StringComparison.Ordinal);
        Assert.Contains("41", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        var options = new GenerationOptions();
        Assert.Contains("num-return-sequences", Message(options with { NumReturnSequences = 0 }), StringComparison.Ordinal);
        Assert.Contains("max-new-tokens", Message(options with { MaxNewTokens = 0 }), StringComparison.Ordinal);
        Assert.Contains("batch-sequences", Message(options with { BatchSequences = -1 }), StringComparison.Ordinal);
        Assert.Contains("temperature", Message(options with { Sampling = new() { Temperature = -1 } }), StringComparison.Ordinal);
        Assert.Contains("stop", Message(options with { StopStrings = [""] }), StringComparison.Ordinal);
        Assert.Throws<BadInputException>(() => new Generator(TestModels.Policy(), null, options with { StopStrings = ["x"] }));

        static string Message(GenerationOptions bad) => Assert.Throws<BadInputException>(bad.Validate).Message;
    }

    [Fact]
    public void No_prompts_are_no_work()
    {
        using var generator = new Generator(TestModels.Policy(), null, Greedy);
        generator.Generate([], _ => Assert.Fail("there is no prompt"));
        Assert.Equal(0, generator.Statistics.Steps);
    }
}
