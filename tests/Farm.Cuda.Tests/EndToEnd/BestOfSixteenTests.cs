using Farm.Core;
using Farm.Cpu;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Llama;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>Generation and scoring through the engine itself, on the simulated GPU and on the CPU.</summary>
public sealed class BestOfSixteenTests(TinyLlama models) : IClassFixture<TinyLlama>
{
    private static readonly int[][] Prompts =
    [
        [0, .. Enumerable.Range(0, 140).Select(i => 2 + (i * 7 % 120))], [0, 17, 33, 9], [0, .. Enumerable.Range(0, 40).Select(i => 2 + (i * 13 % 120))],
    ];

    [Theory]
    [InlineData(DType.F32, 0f)]
    [InlineData(DType.F32, 1f)]
    [InlineData(DType.BF16, 0f)]
    [InlineData(DType.I8, 0f)]
    public void Tokens_are_the_cpus(DType type, float temperature)
    {
        using var cpu = new CpuBackend(2);
        using var gpu = Simulated.Backend();
        var want = Generate(cpu, type, temperature);
        var got = Generate(gpu, type, temperature);
        Assert.Equal(48, got.Length);
        for (int i = 0; i < want.Length; i++)
        {
            Assert.Equal(want[i].TokenIds, got[i].TokenIds);
            for (int t = 0; t < want[i].TokenIds.Length; t++)
            {
                // int8 rounds activations to 8 bits, where a last bit of float32 may tip a value to its neighbour.
                Assert.Equal(want[i].LogProbs[t], got[i].LogProbs[t], type == DType.F32 ? 1e-4f : 1e-2f);
            }
        }
    }

    [Fact]
    public void Rewards_are_the_cpus()
    {
        using var cpu = new CpuBackend(2);
        using var gpu = Simulated.Backend();
        float[] want = Score(cpu), got = Score(gpu);
        Assert.Equal(want.Length, got.Length);
        Assert.All(want.Zip(got), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
    }

    private SampleResult[] Generate(IBackend backend, DType type, float temperature)
    {
        using var checkpoint = Checkpoint.Open(models.Decoder);
        using var model = LlamaModel.Load(backend, checkpoint, TinyLlama.Config, type);
        using var generator = new Generator(model, null, new GenerationOptions
        {
            NumReturnSequences = 16,
            MaxNewTokens = 12,
            Seed = 3,
            Sampling = new SamplingParameters { Temperature = temperature },
            EosIds = [1],
        });
        var results = new PromptResult[Prompts.Length];
        generator.Generate([.. Prompts.Select((ids, i) => new Prompt(i, ids, null))], done => results[done.Prompt.Index] = done);
        return [.. results.SelectMany(r => r.Samples.OrderBy(s => s.SampleIndex))];
    }

    private float[] Score(IBackend backend)
    {
        using var checkpoint = Checkpoint.Open(models.Scorer);
        using var model = RewardModel.Load(backend, checkpoint, TinyLlama.Config, DType.F32);
        using var scorer = new Scorer(model, null);
        ScoringGroup[] groups = [.. Prompts.Select((ids, i) => ScoringGroup.Of(i, ids, [[5, 6, 7], [8], [.. Enumerable.Range(2, 40)]]))];
        return [.. scorer.Score(groups).SelectMany(r => r)];
    }
}
