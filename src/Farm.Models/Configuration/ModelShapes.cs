using Farm.Core;

namespace Farm.Models.Configuration;

/// <summary>Configurations of well-known models, for benchmarks and size arithmetic.</summary>
public static class ModelShapes
{
    private static readonly Dictionary<string, ModelConfig> Shapes = new()
    {
        ["tiny"] = Llama(288, 6, 6, 6, 768, 32000),
        ["small"] = Llama(768, 12, 12, 12, 2048, 32000),
        ["smollm2-135m"] = Llama(576, 30, 9, 3, 1536, 49152) with
        {
            TieWordEmbeddings = true,
            RopeTheta = 100_000,
            MaxPositionEmbeddings = 8192,
            BosId = 0,
            EosIds = [0],
        },
        ["qwen2-0.5b"] = Llama(896, 24, 14, 2, 4864, 151936) with
        {
            ModelType = "qwen2",
            AttentionBias = AttentionBias.QueryKeyValue,
            TieWordEmbeddings = true,
            RmsNormEpsilon = 1e-6,
            RopeTheta = 1_000_000,
            MaxPositionEmbeddings = 131072,
            BosId = 151643,
            EosIds = [151643],
        },
        ["tinyllama"] = Llama(2048, 22, 32, 4, 5632, 32000),
        ["llama-7b"] = Llama(4096, 32, 32, 32, 11008, 32000) with { RmsNormEpsilon = 1e-6 },
        ["llama-3.1-8b"] = Llama(4096, 32, 32, 8, 14336, 128256) with
        {
            RopeTheta = 500_000,
            RopeScaling = new RopeScaling(RopeScalingKind.Llama3, 8, 1, 4, 8192),
            MaxPositionEmbeddings = 131072,
            BosId = 128000,
            EosIds = [128001],
        },
    };

    /// <summary>Names that <see cref="Get"/> takes, smallest model first.</summary>
    public static IReadOnlyCollection<string> Names => Shapes.Keys;

    /// <summary>The configuration of that name: tiny, small, smollm2-135m, qwen2-0.5b, tinyllama, llama-7b or llama-3.1-8b.</summary>
    /// <exception cref="BadInputException">There is none; the message lists those there are.</exception>
    public static ModelConfig Get(string name) =>
        Shapes.GetValueOrDefault(name) ?? throw new BadInputException($"There is no model shape '{name}'; there are {string.Join(", ", Shapes.Keys)}.");

    private static ModelConfig Llama(int hidden, int layers, int heads, int keyValueHeads, int intermediate, int vocabulary) => new()
    {
        VocabularySize = vocabulary,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        Layers = layers,
        AttentionHeads = heads,
        KeyValueHeads = keyValueHeads,
        HeadDim = hidden / heads,
        RmsNormEpsilon = 1e-5,
        BosId = 1,
        EosIds = [2],
    };
}
