using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Cpu;
using Farm.Inference;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;
using Farm.Models.Llama;
using Farm.Models.Tokenizers;

namespace Parity;

/// <summary>Logits, greedy ids, log-probabilities, entropies and rewards of the fixture models against PyTorch's float64 values.</summary>
public sealed class GoldenTests(GoldenTests.Models models) : IClassFixture<GoldenTests.Models>
{
    // PyTorch's own float32 differs from its float64 by up to 3e-5 on these rows.
    private const double Tolerance = 1e-4;

    public static TheoryData<int> CausalRows => [.. Enumerable.Range(0, 16)];

    [Theory]
    [MemberData(nameof(CausalRows))]
    public void Logits_after_the_prompt_are_those_of_PyTorch(int row)
    {
        var (golden, model) = models.Causal(row);
        using var evaluator = new Evaluator(model);
        int[] prompt = Ints(golden["prompt_ids"]);
        var top = evaluator.TopLogits(prompt, 10);
        Assert.Equal(Ints(golden["top10_ids"]), top.Select(token => token.Id));
        AssertClose(Doubles(golden["top10_logits"]), [.. top.Select(token => token.Logit)]);
        double logSum = Math.Log(evaluator.Logits(prompt).Sum(logit => Math.Exp(logit)));
        Assert.Equal((double)golden["logsumexp"]!, logSum, Tolerance);
    }

    [Theory]
    [MemberData(nameof(CausalRows))]
    public void Greedy_ids_are_those_of_PyTorch(int row)
    {
        var (golden, model) = models.Causal(row);
        var options = new GenerationOptions { MaxNewTokens = 32, EosIds = [], Sampling = new() { Temperature = 0 }, NumReturnSequences = 3 };
        using var generator = new Generator(model, null, options);
        generator.Generate([new Prompt(row, Ints(golden["prompt_ids"]))], result =>
            Assert.All(result.Samples, sample => Assert.Equal(Ints(golden["greedy_ids"]), sample.TokenIds)));
        Assert.Equal(3 * 32, generator.Statistics.DecodeTokens);
    }

    [Theory]
    [MemberData(nameof(CausalRows))]
    public void Log_probs_of_a_continuation_and_the_entropy_before_it_are_those_of_PyTorch(int row)
    {
        var (golden, model) = models.Causal(row);
        using var evaluator = new Evaluator(model);
        var evaluation = evaluator.LogProbs(Ints(golden["prompt_ids"]), Ints(golden["continuation_ids"]));
        AssertClose(Doubles(golden["continuation_logprobs"]), evaluation.LogProbs);
        Assert.Equal((double)golden["entropy"]!, evaluation.Entropies[0], Tolerance);
    }

    [Fact]
    public void Rewards_are_those_of_PyTorch()
    {
        var rows = models.Golden["reward"]!["rows"]!.AsArray();
        using var scorer = new Scorer(models.Reward, null, new ScorerOptions { MaxLength = 512 });
        // Prompt and response are cut at any place: the reward is the same wherever the shared part ends.
        var groups = rows.Select((row, i) => Split(i, Ints(row!["ids"]))).ToList();
        float[][] rewards = scorer.Score(groups);
        for (int i = 0; i < rows.Count; i++)
        {
            Assert.Equal((double)rows[i]!["reward"]!, rewards[i][0], Tolerance);
        }
    }

    [Fact]
    public void Rewards_of_texts_are_those_of_PyTorch_with_the_scorers_own_tokenizer_and_length()
    {
        var rows = models.Golden["reward"]!["rows"]!.AsArray();
        using var scorer = new Scorer(models.Reward, TokenizerLoader.Load(Shared.Path("models", "fixture-rm")));
        Assert.Equal(512, scorer.MaxLength);
        foreach (var row in rows)
        {
            string prompt = AlpacaPrompt((string)row!["instruction"]!, (string)row["input"]!);
            float reward = scorer.Score([scorer.TextGroup(0, prompt, [(string)row["output"]!])])[0][0];
            Assert.Equal((double)row["reward"]!, reward, Tolerance);
        }
    }

    [Fact]
    public void Best_of_n_is_the_same_for_any_width_and_thread_count()
    {
        var policy = models.Policy("fixture-sft");
        var prompts = models.Golden["causal"]!.AsArray().Where(row => (string)row!["model"]! == "fixture-sft").Take(4)
            .Select((row, i) => new Prompt(i, Ints(row!["prompt_ids"]))).ToList();
        var first = Rank(policy, models.Reward, 0);
        Assert.Equal(first, Rank(policy, models.Reward, 5));
        using var oneThread = new CpuBackend(1);
        using var policyAgain = Models.Load(oneThread, "fixture-sft");
        using var rewardAgain = Models.LoadReward(oneThread);
        Assert.Equal(first, Rank(policyAgain, rewardAgain, 3));

        List<string> Rank(LlamaModel model, RewardModel reward, int width)
        {
            using var generator = new Generator(model, null, new GenerationOptions { NumReturnSequences = 4, MaxNewTokens = 24, Seed = 5, BatchSequences = width });
            using var scorer = new Scorer(reward, null);
            var lines = new SortedDictionary<int, string>();
            BestOfN.Run(generator, scorer, prompts, new BestOfNOptions(), ranked => lines[ranked.Prompt.Index] =
                string.Join(';', ranked.Samples.Select(s => $"{s.Sample.SampleIndex} {s.Reward:R} {string.Join(',', s.Sample.TokenIds)}")));
            return [.. lines.Values];
        }
    }

    private static ScoringGroup Split(int index, int[] ids) => ScoringGroup.Of(index, ids[..(ids.Length / 2)], [ids[(ids.Length / 2)..]]);

    private static string AlpacaPrompt(string instruction, string input) => input.Length == 0
        ? $"Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n### Response:"
        : "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request."
            + $"\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:";

    private static int[] Ints(JsonNode? node) => [.. node!.AsArray().Select(value => (int)value!)];

    private static double[] Doubles(JsonNode? node) => [.. node!.AsArray().Select(value => (double)value!)];

    private static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], Tolerance);
        }
    }

    /// <summary>The fixtures, loaded once in float32.</summary>
    public sealed class Models : IDisposable
    {
        private readonly CpuBackend _backend = new(2);
        private readonly Dictionary<string, LlamaModel> _policies = [];
        private readonly Lazy<RewardModel> _reward;

        public Models()
        {
            Golden = JsonNode.Parse(File.ReadAllText(Shared.Path("models", "golden.json")))!;
            _reward = new Lazy<RewardModel>(() => LoadReward(_backend));
        }

        public JsonNode Golden { get; }

        public RewardModel Reward => _reward.Value;

        public static LlamaModel Load(IBackend backend, string name)
        {
            string folder = Shared.Path("models", name);
            using var checkpoint = Checkpoint.Open(folder);
            return LlamaModel.Load(backend, checkpoint, ModelConfig.Load(folder), DType.F32);
        }

        public static RewardModel LoadReward(IBackend backend)
        {
            string folder = Shared.Path("models", "fixture-rm");
            using var checkpoint = Checkpoint.Open(folder);
            return RewardModel.Load(backend, checkpoint, RewardModelConfig.TryLoad(folder)!.Backbone, DType.F32);
        }

        public LlamaModel Policy(string name) => _policies.TryGetValue(name, out var model) ? model : _policies[name] = Load(_backend, name);

        public (JsonNode Golden, LlamaModel Model) Causal(int row)
        {
            var golden = Golden["causal"]![row]!;
            return (golden, Policy((string)golden["model"]!));
        }

        public void Dispose()
        {
            foreach (var model in _policies.Values)
            {
                model.Dispose();
            }

            if (_reward.IsValueCreated)
            {
                _reward.Value.Dispose();
            }

            _backend.Dispose();
        }
    }
}
