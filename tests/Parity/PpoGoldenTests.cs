using System.Text.Json.Nodes;
using Farm.Cpu;
using Farm.Training.Methods;
using Farm.Training.Reinforcement;

namespace Parity;

/// <summary>PPO's and Quark's own steps, above the kernels, against PyTorch's values in rl.json.</summary>
public sealed class PpoGoldenTests
{
    private static readonly JsonNode Golden = JsonNode.Parse(File.ReadAllText(Shared.Path("data", "golden", "rl.json")))!;

    public static TheoryData<string> PpoCases => [.. Golden["ppo"]!.AsObject().Select(p => p.Key)];

    public static TheoryData<string> KlCases => [.. Golden["adaptive_kl"]!.AsObject().Select(p => p.Key)];

    public static TheoryData<string> QuantileCases => [.. Golden["quark_quantiles"]!.AsObject().Select(p => p.Key)];

    [Theory]
    [MemberData(nameof(PpoCases))]
    public void Rewards_advantages_returns_and_statistics_of_rollouts(string name)
    {
        var block = Golden["ppo"]![name]!;
        var (input, expected, numbers) = (block["inputs"]!, block["rollout"]!, block["parameters"]!);
        int batch = (int)block["B"]!, length = (int)block["L"]!;
        bool padded = (string)block["mode"]! == "alpacafarm";
        int[] lengths = [.. Data(input["lengths"]).Select(v => (int)v)];
        Rollout[] rollouts = [.. Enumerable.Range(0, batch).Select(b =>
        {
            float[] Cells(JsonNode? node) => [.. Data(node)[(b * length)..((b * length) + (padded ? length : lengths[b]))].Select(v => (float)v)];
            return new Rollout
            {
                Prompt = new RolloutPrompt(b, [1], string.Empty),
                Response = new int[lengths[b]],
                Text = string.Empty,
                Ended = true,
                SampledLogProbs = [],
                Reward = (float)Data(input["scores"])[b],
                LogProbs = Cells(expected["logprobs"]),
                ReferenceLogProbs = Cells(expected["ref_logprobs"]),
                Entropies = Cells(expected["entropies"]),
                ReferenceEntropies = Cells(expected["ref_entropies"]),
                Values = Cells(input["old_values"]),
            };
        })];
        var mode = padded ? PpoMode.AlpacaFarm : PpoMode.Masked;
        var options = new PpoOptions
        {
            OutputFolder = "none",
            Mode = mode,
            Gamma = (double)numbers["gamma"]!,
            GaeLambda = (double)numbers["lam"]!,
            WhitenRewards = (bool)numbers["whiten_rewards"]!,
        };
        using var backend = new CpuBackend(1);
        AdvantageEstimator.Estimate(backend, rollouts, options, (double)numbers["kl_coef"]!);
        Compare("kl", r => r.Kl);
        Compare("shaped_rewards", r => r.ShapedRewards);
        Compare("returns", r => r.Returns);
        Compare("advantages", r => r.Advantages);
        var statistics = PpoStatistics.Of(rollouts, options, (double)numbers["kl_coef"]!, 0).ToDictionary(s => s.Name, s => s.Value);
        foreach (var (key, value) in block["rollout_statistics"]!.AsObject())
        {
            double wanted = Data(value)[0];
            Assert.True(Math.Abs(wanted - statistics[key]) <= 1e-5 * Math.Max(1, Math.Abs(wanted)), $"{key}: expected {wanted:R}, got {statistics[key]:R}");
        }

        void Compare(string field, Func<Rollout, float[]> cells)
        {
            double[] wanted = Data(expected[field]);
            double largest = wanted.Max(Math.Abs);
            for (int b = 0; b < batch; b++)
            {
                float[] own = cells(rollouts[b]);
                for (int t = 0; t < own.Length; t++)
                {
                    double want = wanted[(b * length) + t];
                    Assert.True(Math.Abs(want - own[t]) <= 1e-5 * Math.Max(Math.Abs(want), 0.1 * largest), $"{field}[{b}, {t}]: expected {want:R}, got {own[t]:R}");
                }
            }
        }
    }

    [Fact]
    public void Shaping_of_rows_with_an_empty_one()
    {
        var block = Golden["reward_shaping_with_an_empty_row"]!;
        double[] lengths = Data(block["inputs"]!["lengths"]), scores = Data(block["inputs"]!["scores"]), kl = Data(block["outputs"]!["kl"]), expected = Data(block["outputs"]!["shaped_rewards"]);
        int columns = kl.Length / lengths.Length;
        for (int b = 0; b < lengths.Length; b++)
        {
            float[] shaped = AdvantageEstimator.Shape([.. kl[(b * columns)..((b + 1) * columns)].Select(v => (float)v)], (float)scores[b], (int)lengths[b], (double)block["parameters"]!["kl_coef"]!);
            Assert.All(expected[(b * columns)..((b + 1) * columns)].Zip(shaped), p => Assert.Equal(p.First, p.Second, 1e-6));
        }
    }

    [Theory]
    [MemberData(nameof(KlCases))]
    public void Adaptive_kl_over_twenty_steps(string name)
    {
        var block = Golden["adaptive_kl"]![name]!;
        var numbers = block["parameters"]!;
        var controller = new AdaptiveKlController((double)numbers["start"]!, (double)numbers["target_kl"]!, (double)numbers["k_beta"]!);
        foreach (var (kl, value) in Data(block["inputs"]!["current_kl"]).Zip(Data(block["outputs"]!["value"])))
        {
            controller.Adapt(kl);
            Assert.Equal(value, controller.Value, 1e-12);
        }
    }

    [Theory]
    [MemberData(nameof(QuantileCases))]
    public void Quark_quantiles(string name)
    {
        var block = Golden["quark_quantiles"]![name]!;
        float[] rewards = [.. Data(block["inputs"]!["rewards"]).Select(v => (float)v)];
        Assert.Equal(Data(block["outputs"]!["order"]).Select(v => (int)v), QuarkPool.Order(rewards));
        Assert.Equal(Data(block["outputs"]!["chunk"]).Select(v => (int)v), QuarkPool.Quantiles(rewards, (int)block["parameters"]!["K"]!));
    }

    private static double[] Data(JsonNode? node) => [.. node!["data"]!.AsArray().Select(v => (double)v!)];
}
