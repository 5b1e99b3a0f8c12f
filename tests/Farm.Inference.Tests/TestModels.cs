using Farm.Core;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Reference;

namespace Farm.Inference.Tests;

/// <summary>Tiny models over the reference backend.</summary>
internal static class TestModels
{
    public static ModelConfig Config { get; } = new()
    {
        VocabularySize = 41,
        HiddenSize = 12,
        IntermediateSize = 10,
        Layers = 2,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 4,
        RmsNormEpsilon = 1e-5,
        RopeTheta = 10000,
        MaxPositionEmbeddings = 300,
    };

    public static LlamaModel Policy(ModelConfig? config = null, DType type = DType.F32, int seed = 1) =>
        LlamaModel.Load(new ReferenceBackend(), new MemoryCheckpoint(config ?? Config, seed), config ?? Config, type);

    public static RewardModel Reward(ModelConfig? config = null) =>
        RewardModel.Load(new ReferenceBackend(), new MemoryCheckpoint(config ?? Config, 2, "backbone_model.", rewardHead: true), config ?? Config, DType.F32);

    /// <summary>Token ids that depend on nothing but the arguments.</summary>
    public static int[] Ids(int length, int seed, int vocabulary = 41)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabulary))];
    }

    public static List<Prompt> Prompts(params int[] lengths) => [.. lengths.Select((length, i) => new Prompt(i, Ids(length, 100 + i)))];

    public static List<PromptResult> Generate(LlamaModel model, IReadOnlyList<Prompt> prompts, GenerationOptions options, FakeTokenizer? tokenizer = null)
    {
        var results = new List<PromptResult>();
        using var generator = new Generator(model, tokenizer, options);
        generator.Generate(prompts, results.Add);
        Assert.Equal(0, generator.UsedPages);
        return [.. results.OrderBy(result => result.Prompt.Index)];
    }
}
