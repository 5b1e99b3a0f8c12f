using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>A decoder and a reward model of random weights in a folder of their own.</summary>
public sealed class TinyLlama : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("farm cuda ").FullName;

    public TinyLlama()
    {
        RandomCheckpoint.Write(Decoder, Config, seed: 5, DType.F32);
        RandomCheckpoint.WriteReward(Scorer, Config, seed: 6, DType.F32);
    }

    public static ModelConfig Config => new()
    {
        VocabularySize = 130,
        HiddenSize = 64,
        IntermediateSize = 112,
        Layers = 3,
        AttentionHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 16,
        MaxPositionEmbeddings = 512,
        BosId = 0,
        EosIds = [1],
    };

    public string Decoder => Path.Combine(_folder, "decoder");

    public string Scorer => Path.Combine(_folder, "scorer");

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
