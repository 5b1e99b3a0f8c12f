using System.Text.Json.Nodes;
using Farm.Core;
using Farm.Cpu;

namespace Parity;

/// <summary>The operations of learning from feedback against PyTorch's float64 values in rl.json: rewards, advantages, losses and gradients to 1e-5.</summary>
public sealed class ReinforcementFormulaTests : IDisposable
{
    private static readonly JsonNode Golden = JsonNode.Parse(File.ReadAllText(Shared.Path("data", "golden", "rl.json")))!;
    private static readonly string[] DpoInputs = ["policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected"];
    private readonly CpuBackend _backend = new(2);
    private readonly List<DeviceMemory> _memory = [];

    public static TheoryData<string> PpoCases => [.. Golden["ppo"]!.AsObject().Select(p => p.Key)];

    public static TheoryData<string> DpoCases => ["random", "beta-other", "extreme"];

    public static TheoryData<string> PairCases => ["random", "tie_and_saturation"];

    public void Dispose()
    {
        _memory.ForEach(m => m.Dispose());
        _backend.Dispose();
    }

    [Theory]
    [MemberData(nameof(PpoCases))]
    public void Ppo_from_logits_to_gradients(string name)
    {
        var block = Golden["ppo"]![name]!;
        var (input, rollout, loss, numbers) = (block["inputs"]!, block["rollout"]!, block["loss"]!, block["parameters"]!);
        int batch = (int)block["B"]!, length = (int)block["L"]!, vocabulary = (int)block["V"]!;
        bool padded = (string)block["mode"]! == "alpacafarm";
        int[] lengths = [.. Data(input["lengths"]).Select(v => (int)v)];
        float temperature = (float)numbers["temperature"]!, gamma = (float)numbers["gamma"]!, lambda = (float)numbers["lam"]!, coefficient = (float)numbers["kl_coef"]!;
        float clip = (float)numbers["cliprange"]!, valueClip = (float)numbers["cliprange_value"]!, valueCoefficient = (float)numbers["vf_coef"]!;
        // The cells of the [B, L] grid that are tokens, and those that the mode's means and scans run over.
        int[] tokens = [.. Enumerable.Range(0, batch * length).Where(i => i % length < lengths[i / length])];
        int[] cells = padded ? [.. Enumerable.Range(0, batch * length)] : tokens;
        int[] starts = padded ? [.. Enumerable.Range(0, batch + 1).Select(b => b * length)] : [.. Enumerable.Range(0, batch + 1).Select(b => lengths.Take(b).Sum())];
        double[] ids = Data(input["response_ids"]);

        float[] logProbs = LogProbs(input["old_logits"]!, out float[] entropies), reference = LogProbs(input["ref_logits"]!, out _);
        AssertGrid("logprobs", rollout["logprobs"], logProbs);
        AssertClose("entropies", [.. tokens.Select(i => Data(rollout["entropies"])[i])], [.. tokens.Select(i => entropies[i])]);

        Tensor kl = Vector(cells.Length);
        _backend.TokenKl(Cells(logProbs), Cells(reference), padded ? KlEstimator.Clamped : KlEstimator.K1, kl);
        AssertCells("kl", rollout["kl"], kl, magnitude: 1);
        Tensor k3 = Vector(cells.Length);
        _backend.TokenKl(Cells(logProbs), Cells(reference), KlEstimator.K3, k3);
        AssertCells("kl_k3", rollout["kl_k3"], k3, magnitude: 1);

        float[] shaped = [.. Host(kl).Select(k => -coefficient * k)];
        float[] scores = [.. Data(input["scores"]).Select(v => (float)v)];
        for (int b = 0; b < batch; b++)
        {
            shaped[starts[b] + lengths[b] - 1] += scores[b];
        }

        Tensor rewards = Device(shaped), values = Cells([.. Data(input["old_values"]).Select(v => (float)v)]), advantages = Vector(cells.Length), returns = Vector(cells.Length);
        AssertCells("shaped_rewards", rollout["shaped_rewards"], rewards);
        if ((bool)numbers["whiten_rewards"]!)
        {
            _backend.Whiten(rewards, false, rewards);
        }

        AssertCells("whitened_rewards", rollout["whitened_rewards"], rewards);
        _backend.Gae(rewards, values, Ints(starts), gamma, lambda, advantages, returns);
        AssertCells("advantages_raw", rollout["advantages_raw"], advantages);
        AssertCells("returns", rollout["returns"], returns);
        _backend.Whiten(advantages, true, advantages);
        AssertCells("advantages", rollout["advantages"], advantages);

        // The policy's loss is on tokens alone; padding adds its constant -advantage to the mean.
        double[] logits = Data(input["new_logits"]);
        float[] advantageOf = new float[batch * length];
        foreach (var (cell, value) in cells.Zip(Host(advantages)))
        {
            advantageOf[cell] = value;
        }

        Tensor hidden = Device([.. tokens.SelectMany(i => logits[(i * vocabulary)..((i + 1) * vocabulary)]).Select(v => (float)v)], tokens.Length);
        Tensor updated = Vector(tokens.Length), losses = Vector(tokens.Length), clipped = Vector(tokens.Length), gradient = Device(new float[tokens.Length * vocabulary], tokens.Length);
        _backend.LinearPolicyLoss(hidden, Identity(vocabulary), Ints([.. tokens.Select(i => (int)ids[i])]), new PolicyLossSettings(temperature, clip, 1f / cells.Length),
            Device([.. tokens.Select(i => logProbs[i])]), Device([.. tokens.Select(i => advantageOf[i])]), updated, losses, clipped, default, gradient);
        AssertClose("new logprobs", [.. tokens.Select(i => Data(loss["logprobs"])[i])], Host(updated));
        double policy = (Host(losses).Sum(v => (double)v) - cells.Except(tokens).Sum(i => (double)advantageOf[i])) / cells.Length;
        AssertClose("policy loss", Data(loss["ppo/loss/policy"]), [(float)policy]);
        Assert.Equal(Data(loss["ppo/policy/clipfrac"])[0], Host(clipped).Sum() / cells.Length, 1e-6);
        double[] wantedGradient = Data(loss["grad_new_logits"]);
        AssertClose("grad_new_logits", [.. tokens.SelectMany(i => wantedGradient[(i * vocabulary)..((i + 1) * vocabulary)])], Host(gradient));

        Tensor valueLosses = Vector(cells.Length), valueClipped = Vector(cells.Length), valueGradient = Vector(cells.Length);
        _backend.ValueLoss(Cells([.. Data(input["new_values"]).Select(v => (float)v)]), values, returns, valueClip, valueCoefficient / cells.Length, valueLosses, valueClipped, valueGradient);
        AssertClose("value loss", Data(loss["ppo/loss/value"]), [(float)Host(valueLosses).Average(v => (double)v)]);
        Assert.Equal(Data(loss["ppo/val/clipfrac"])[0], Host(valueClipped).Average(), 1e-6);
        AssertCells("grad_new_values", loss["grad_new_values"], valueGradient);

        float[] LogProbs(JsonNode node, out float[] entropy)
        {
            double[] all = Data(node);
            Tensor x = Device([.. all.Select(v => (float)v)], batch * length), log = Vector(batch * length), spread = Vector(batch * length);
            _backend.LinearLogProb(x, Identity(vocabulary), Ints([.. ids.Select(v => (int)v)]), temperature, log, spread);
            entropy = Host(spread);
            float[] found = Host(log), kept = new float[found.Length];
            foreach (int i in tokens)
            {
                kept[i] = found[i];
            }

            return kept;
        }

        Tensor Cells(float[] grid) => Device([.. cells.Select(i => grid[i])]);

        void AssertCells(string what, JsonNode? wanted, Tensor actual, double magnitude = 1e-3)
        {
            double[] grid = Data(wanted);
            AssertClose(what, [.. cells.Select(i => grid[i])], Host(actual), magnitude);
        }

        void AssertGrid(string what, JsonNode? wanted, float[] actual) => AssertClose(what, Data(wanted), actual);
    }

    [Theory]
    [MemberData(nameof(DpoCases))]
    public void Preference_losses_and_gradients(string name)
    {
        var block = Golden["dpo"]![name]!;
        Tensor[] inputs = [.. DpoInputs.Select(n => Device([.. Data(block["inputs"]![n]).Select(v => (float)v)]))];
        int n = inputs[0].Columns;
        float beta = (float)block["parameters"]!["beta"]!, smoothing = (float)block["parameters"]!["label_smoothing"]!;
        foreach (var (key, settings) in new[]
        {
            ("sigmoid", new DpoSettings(DpoKind.Sigmoid, beta, 0, 1f / n)), ("sigmoid_smoothed", new DpoSettings(DpoKind.Sigmoid, beta, smoothing, 1f / n)), ("ipo", new DpoSettings(DpoKind.Ipo, beta, 0, 1f / n)),
        })
        {
            Tensor losses = Vector(n), gradients = Vector(n);
            _backend.DpoLoss(inputs[0], inputs[1], inputs[2], inputs[3], settings, losses, gradients);
            var expected = block["outputs"]![key]!;
            AssertClose(key + " loss", Data(expected["loss"]), [(float)Host(losses).Average(v => (double)v)]);
            AssertClose(key + " gradient", Data(expected["grad_policy_chosen"]), Host(gradients));
            AssertClose(key + " gradient", Data(expected["grad_policy_rejected"]), [.. Host(gradients).Select(g => -g)]);
        }
    }

    [Theory]
    [MemberData(nameof(PairCases))]
    public void Pairwise_losses_and_gradients(string name)
    {
        var block = Golden["pairwise_reward"]![name]!;
        int[] choices = [.. Data(block["inputs"]!["choice"]).Select(v => (int)v)];
        Tensor rewards = Device([.. Data(block["inputs"]!["rewards"]).Select(v => (float)v)], choices.Length), losses = Vector(choices.Length), gradients = Device(new float[2 * choices.Length], choices.Length);
        _backend.PairwiseLoss(rewards, Ints(choices), 1f / choices.Length, losses, gradients);
        AssertClose("loss", Data(block["outputs"]!["loss"]), [(float)Host(losses).Average(v => (double)v)]);
        AssertClose("gradient", Data(block["outputs"]!["grad_rewards"]), Host(gradients));
    }

    [Fact]
    public void Quark_loss_and_gradient()
    {
        var block = Golden["quark_loss"]!;
        var (numbers, input, output) = (block["parameters"]!, block["inputs"]!, block["outputs"]!);
        int own = (int)numbers["V0"]!, columns = own + (int)numbers["K"]!, pad = (int)numbers["pad_id"]!;
        int[] ids = [.. Data(input["response_ids"]).Select(v => (int)v == pad ? -1 : (int)v)];
        Tensor logits = Device([.. Data(input["logits"]).Select(v => (float)v)], ids.Length), reference = Device([.. Data(input["ref_logits"]).Select(v => (float)v)], ids.Length);
        Tensor losses = Vector(ids.Length), logProbs = Vector(ids.Length), kl = Vector(ids.Length), entropies = Vector(ids.Length);
        _backend.QuarkLoss(logits, reference, Ints(ids), new QuarkSettings((float)numbers["temperature"]!, own, (float)numbers["kl_coef"]!, (float)numbers["entropy_coef"]!, 1f / ids.Length),
            losses, logProbs, kl, entropies, logits);
        Assert.Equal(ids.Length / 7, Data(input["lengths"]).Length);
        AssertClose("loss", Data(output["loss"]), [(float)Host(losses).Average(v => (double)v)]);
        AssertClose("logprobs", Data(output["logprobs"]), Host(logProbs));
        AssertClose("kl", Data(output["kl"]), Host(kl));
        AssertClose("entropies", Data(output["entropies"]), Host(entropies));
        AssertClose("gradient", Data(output["grad_logits"]), Host(logits));
    }

    private static double[] Data(JsonNode? node) => [.. node!["data"]!.AsArray().Select(v => (double)v!)];

    // Relative to the value, or to a tenth of the largest of its array, or to the magnitude of what it is a difference of: a KL is one of log-probabilities rounded to float32.
    private static void AssertClose(string what, double[] expected, float[] actual, double magnitude = 1e-3)
    {
        Assert.Equal(expected.Length, actual.Length);
        double largest = expected.Length == 0 ? 0 : expected.Max(Math.Abs);
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-5 * Math.Max(Math.Abs(expected[i]), Math.Max(0.1 * largest, magnitude)), $"{what}[{i}]: expected {expected[i]:R}, got {actual[i]:R}");
        }
    }

    private Tensor Allocate(DType type, int rows, int columns)
    {
        var memory = _backend.Allocate(Math.Max(64, rows * columns * 4));
        _memory.Add(memory);
        return memory.Tensor(type, rows, columns);
    }

    private Tensor Vector(int count) => Allocate(DType.F32, 1, count);

    private Tensor Device(float[] values, int rows = 1)
    {
        var tensor = Allocate(DType.F32, rows, values.Length / rows);
        _backend.Upload<float>(values, tensor);
        return tensor;
    }

    private Tensor Ints(int[] values)
    {
        var tensor = Allocate(DType.I32, 1, values.Length);
        _backend.Upload<int>(values, tensor);
        return tensor;
    }

    // With the identity as weight, hidden states are logits.
    private Tensor Identity(int size) => Device([.. Enumerable.Range(0, size * size).Select(i => i % (size + 1) == 0 ? 1f : 0f)], size);

    private float[] Host(Tensor tensor)
    {
        var values = new float[tensor.Count];
        _backend.Download<float>(tensor, values);
        return values;
    }
}
