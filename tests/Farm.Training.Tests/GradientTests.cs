using Farm.Core;
using Farm.Models.Configuration;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Training.Tests;

/// <summary>Gradients of whole two-layer models against central differences over the float64 reference.</summary>
public sealed class GradientTests
{
    private static readonly TrainingExample[] SftExamples =
    [
        new([[1, 4, 7, 2, 9, 3]], 2), new([[5, 12, 0]], 1), new([[1, 1, 6, 8]], 3),
    ];

    private static readonly TrainingExample[] PairExamples = [new([[1, 4, 7], [2, 9, 3, 6, 5]], Target: 1), new([[8, 2], [8, 2, 11]])];

    public static TheoryData<string> Cases => ["plain", "tied", "qwen2 biases", "all biases", "reward", "ratings", "rankings", "lora", "lora dropout", "lora reward"];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradients_are_the_differences_of_the_loss(string name)
    {
        var config = name switch
        {
            "tied" => TinyModel.Config with { TieWordEmbeddings = true },
            "qwen2 biases" => TinyModel.Config with { AttentionBias = AttentionBias.QueryKeyValue, ModelType = "qwen2" },
            "all biases" => TinyModel.Config with { AttentionBias = AttentionBias.All },
            _ => TinyModel.Config,
        };
        TrainingTask task = name switch
        {
            "reward" or "lora reward" => new PairwiseTask(),
            "ratings" => new RatingsTask(),
            "rankings" => new RankingsTask(),
            _ => new SftTask(),
        };
        bool reward = task is RewardTask;
        var examples = !reward ? SftExamples
            : task is RatingsTask ? [new TrainingExample([[1, 4, 7]], Target: 0.25), new TrainingExample([[3, 2]], Target: 1)]
            : task is RankingsTask ? [new TrainingExample([[1, 4, 7], [2, 9], [1, 4], [1, 6]])] : PairExamples;
        var lora = name.StartsWith("lora", StringComparison.Ordinal)
            ? new LoraOptions { Rank = 2, Alpha = 3, Dropout = name == "lora dropout" ? 0.4 : 0, TargetModules = [LoraOptions.AllLinear] }
            : null;
        using var model = TinyModel.Load(new TrainableLlamaOptions { Head = reward ? ModelHead.Reward : ModelHead.Language, Lora = lora, Seed = 5 }, config);
        if (lora is not null)
        {
            // At zero, B would hide the gradient of A.
            var random = new Random(4);
            foreach (string b in model.Trained.Names.Where(n => n.EndsWith("lora_B.weight", StringComparison.Ordinal)))
            {
                TinyModel.Backend.Upload<float>([.. Enumerable.Range(0, (int)model.Trained.ValueOf(b).Count).Select(_ => (float)random.NextDouble() - 0.5f)], model.Trained.ValueOf(b));
            }
        }

        using var workspace = model.CreateWorkspace(examples.Sum(e => e.Rows));
        var batch = new PackedBatch { Key = (3, 1) };
        float[] scales = [.. examples.Select((_, i) => 0.5f + i)];
        model.Trained.ZeroGradients();
        task.Pass(model, workspace, batch, examples, scales);
        Assert.True(model.Trained.Names.Count > 4);
        int nonZero = 0;
        foreach (string tensor in model.Trained.Names)
        {
            var value = model.Trained.ValueOf(tensor);
            float[] values = TinyModel.Values(value), gradients = TinyModel.Values(model.Trained.GradientOf(tensor));
            for (int i = 0; i < values.Length; i += Math.Max(1, values.Length / 7))
            {
                const float Step = 1f / 256;
                float old = values[i];
                // Five points: the third derivative would show at this step, and a smaller one drowns in float32.
                double difference = ((8 * (At(old + Step) - At(old - Step))) - (At(old + (2 * Step)) - At(old - (2 * Step)))) / (12 * Step);
                At(old);
                Assert.True(Math.Abs(difference - gradients[i]) <= 2e-3 + (2e-3 * Math.Abs(difference)), $"{name}: {tensor}[{i}]: {gradients[i]} against {difference}");
                nonZero += Math.Abs(gradients[i]) > 1e-2 ? 1 : 0;

                double At(float x)
                {
                    values[i] = x;
                    TinyModel.Backend.Upload<float>(values, value);
                    // Scales of zero keep dropout as in training and leave no gradient behind.
                    var gradientsBefore = TinyModel.Gradients(model);
                    double loss = task.Pass(model, workspace, batch, examples, new float[examples.Length]).Select((r, e) => r.LossSum * scales[e]).Sum();
                    Assert.Equal(gradientsBefore, TinyModel.Gradients(model));
                    return loss;
                }
            }
        }

        Assert.True(nonZero > 8, $"{name}: only {nonZero} gradients are large enough to tell");
    }

    [Fact]
    public void Recomputation_changes_no_bit()
    {
        using var plain = TinyModel.Load();
        using var recomputed = TinyModel.Load(new TrainableLlamaOptions { Recompute = true });
        float[] expected = Run(plain), actual = Run(recomputed);
        Assert.Equal(expected, actual);
        Assert.Contains(expected, g => g != 0);

        static float[] Run(TrainableLlama model)
        {
            using var workspace = model.CreateWorkspace(SftExamples.Sum(e => e.Rows));
            new SftTask().Pass(model, workspace, new PackedBatch(), SftExamples, [1, 1, 1]);
            return TinyModel.Gradients(model);
        }
    }

    [Fact]
    public void Packing_changes_losses_by_no_bit()
    {
        using var model = TinyModel.Load();
        using var workspace = model.CreateWorkspace(SftExamples.Sum(e => e.Rows));
        var together = new SftTask().Pass(model, workspace, new PackedBatch(), SftExamples, null);
        for (int i = 0; i < SftExamples.Length; i++)
        {
            Assert.Equal(together[i].LossSum, new SftTask().Pass(model, workspace, new PackedBatch(), [SftExamples[i]], null)[0].LossSum);
        }
    }

    [Fact]
    public void Adapters_start_as_nothing_and_unknown_targets_are_refused()
    {
        using var plain = TinyModel.Load();
        using var adapted = TinyModel.Load(new TrainableLlamaOptions { Lora = new LoraOptions { Rank = 4 } });
        using var workspace = plain.CreateWorkspace(32);
        using var adaptedWorkspace = adapted.CreateWorkspace(32);
        var task = new SftTask();
        Assert.Equal(
            task.Pass(plain, workspace, new PackedBatch(), SftExamples, null).Select(r => r.LossSum),
            task.Pass(adapted, adaptedWorkspace, new PackedBatch(), SftExamples, null).Select(r => r.LossSum));
        var e = Assert.Throws<BadInputException>(() => TinyModel.Load(new TrainableLlamaOptions { Lora = new LoraOptions { Rank = 4, TargetModules = ["q_proj", "w_pack"] } }));
        Assert.Contains("'w_pack' matches no", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Added_embedding_rows_are_the_mean_of_the_old_ones()
    {
        using var plain = TinyModel.Load();
        using var grown = TinyModel.Load(new TrainableLlamaOptions { VocabularySize = 15 });
        foreach (string name in new[] { "model.embed_tokens.weight", "lm_head.weight" })
        {
            float[] old = TinyModel.Values(plain.Trained.ValueOf(name)), now = TinyModel.Values(grown.Trained.ValueOf(name));
            Assert.Equal(old, now[..old.Length]);
            for (int c = 0; c < 8; c++)
            {
                float mean = (float)Enumerable.Range(0, 13).Average(r => (double)old[(r * 8) + c]);
                Assert.Equal(mean, now[(13 * 8) + c], 1e-6);
                Assert.Equal(mean, now[(14 * 8) + c], 1e-6);
            }
        }
    }
}
