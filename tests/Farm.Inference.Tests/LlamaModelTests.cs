using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Reference;

namespace Farm.Inference.Tests;

public class LlamaModelTests
{
    [Theory]
    [InlineData(AttentionBias.None, 4, 2)]
    [InlineData(AttentionBias.QueryKeyValue, 4, 4)]
    [InlineData(AttentionBias.All, 3, 1)]
    public void Logits_equal_a_second_implementation(AttentionBias bias, int heads, int kvHeads)
    {
        var config = TestModels.Config with { AttentionBias = bias, AttentionHeads = heads, KeyValueHeads = kvHeads };
        int[] ids = TestModels.Ids(9, 3);
        using var evaluator = new Evaluator(TestModels.Policy(config));
        AssertClose(new NaiveLlama(new MemoryCheckpoint(config), config).Logits(ids), evaluator.Logits(ids));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(128)]
    public void A_prompt_cut_into_chunks_gives_the_same_logits(int rows)
    {
        var model = TestModels.Policy();
        int[] ids = TestModels.Ids(140, 5);
        using Evaluator whole = new(model, 256), chunked = new(model, rows);
        Assert.Equal(whole.Logits(ids), chunked.Logits(ids));
    }

    [Theory]
    [InlineData(DType.F32, 1e-5)]
    [InlineData(DType.BF16, 0.15)]
    [InlineData(DType.I8, 0.6)]
    public void Tied_embeddings_serve_as_table_and_language_head(DType type, double tolerance)
    {
        var config = TestModels.Config with { TieWordEmbeddings = true };
        var tied = new MemoryCheckpoint(config);
        tied.Remove("lm_head.weight");
        int[] ids = TestModels.Ids(6, 8);
        using var model = LlamaModel.Load(new ReferenceBackend(), tied, config, type);
        using var evaluator = new Evaluator(model);
        float[] logits = evaluator.Logits(ids);

        var twin = new MemoryCheckpoint(config);
        twin.Values("model.embed_tokens.weight").CopyTo(twin.Values("lm_head.weight"), 0);
        double[] expected = new NaiveLlama(twin, config).Logits(ids);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.InRange(logits[i], expected[i] - tolerance * expected.Max(Math.Abs), expected[i] + tolerance * expected.Max(Math.Abs));
        }
    }

    [Fact]
    public void Log_probs_and_entropies_follow_from_the_logits()
    {
        var config = TestModels.Config;
        int[] prompt = TestModels.Ids(5, 1), continuation = TestModels.Ids(20, 2);
        using var evaluator = new Evaluator(TestModels.Policy());
        var evaluation = evaluator.LogProbs(prompt, continuation, temperature: 0.7f);
        var naive = new NaiveLlama(new MemoryCheckpoint(config), config);
        for (int t = 0; t < continuation.Length; t++)
        {
            double[] logits = [.. naive.Logits([.. prompt, .. continuation[..t]]).Select(x => x / 0.7f)];
            double logSum = Math.Log(logits.Sum(Math.Exp));
            Assert.Equal(logits[continuation[t]] - logSum, evaluation.LogProbs[t], 1e-4);
            Assert.Equal(-logits.Sum(x => Math.Exp(x - logSum) * (x - logSum)), evaluation.Entropies[t], 1e-4);
        }
    }

    [Fact]
    public void Top_logits_are_the_highest_in_order()
    {
        using var evaluator = new Evaluator(TestModels.Policy());
        float[] logits = evaluator.Logits([4, 9]);
        var top = evaluator.TopLogits([4, 9], 3);
        Assert.Equal(logits.OrderDescending().Take(3), top.Select(token => token.Logit));
        Assert.All(top, token => Assert.Equal(logits[token.Id], token.Logit));
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        var checkpoint = new MemoryCheckpoint(TestModels.Config);
        checkpoint.Remove("model.layers.1.mlp.down_proj.weight");
        var error = Assert.Throws<BadInputException>(() => LlamaModel.Load(new ReferenceBackend(), checkpoint, TestModels.Config, DType.F32));
        Assert.Contains("model.layers.1.mlp.down_proj.weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shape_that_contradicts_the_configuration_is_named()
    {
        var checkpoint = new MemoryCheckpoint(TestModels.Config);
        var error = Assert.Throws<BadInputException>(() =>
            LlamaModel.Load(new ReferenceBackend(), checkpoint, TestModels.Config with { IntermediateSize = 11 }, DType.F32));
        Assert.Contains("mlp.gate_proj.weight", error.Message, StringComparison.Ordinal);
        Assert.Contains("[10, 12]", error.Message, StringComparison.Ordinal);
        Assert.Contains("[11, 12]", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.embed_tokens.weight")]
    [InlineData("model.layers.0.input_layernorm.weight")]
    [InlineData("model.layers.1.self_attn.k_proj.weight")]
    public void A_weight_that_is_not_a_number_is_named(string name)
    {
        var checkpoint = new MemoryCheckpoint(TestModels.Config);
        checkpoint.Values(name)[5] = float.NaN;
        var error = Assert.Throws<BadInputException>(() => LlamaModel.Load(new ReferenceBackend(), checkpoint, TestModels.Config, DType.BF16));
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_mlp_bias_is_refused()
    {
        var config = TestModels.Config with { MlpBias = true };
        var error = Assert.Throws<BadInputException>(() => LlamaModel.Load(new ReferenceBackend(), new MemoryCheckpoint(config), config, DType.F32));
        Assert.Contains("mlp_bias", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DType.F32, false)]
    [InlineData(DType.F32, true)]
    [InlineData(DType.BF16, true)]
    public void Planned_weight_bytes_are_near_those_loaded(DType type, bool tied)
    {
        var config = TestModels.Config with { TieWordEmbeddings = tied, HiddenSize = 64, IntermediateSize = 128 };
        using var model = LlamaModel.Load(new ReferenceBackend(), new MemoryCheckpoint(config), config, type);
        double planned = MemoryPlan.WeightBytes(config, type);
        Assert.InRange(model.WeightBytes, planned, planned * 1.02);
    }

    private static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], 1e-4);
        }
    }
}
