using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Cli.Simulation;
using Farm.Core;
using Farm.Cpu;
using Farm.Inference;
using Farm.Models.Prompts;
using Farm.Pocket;
using Farm.Pocket.Embedded;

namespace Farm.Cuda.Tests.EndToEnd;

/// <summary>The models that Farm carries, on the simulated GPU and on the CPU, in float32.</summary>
public sealed class PocketModelTests : IDisposable
{
    private const int Samples = 16, NewTokens = 6;

    private readonly string _folder = Directory.CreateTempSubdirectory("farm pocket ").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void Best_of_sixteen_draws_and_ranks_as_on_the_cpu(float temperature)
    {
        var folders = EmbeddedModels.Extract(_folder);
        using var cpu = new CpuBackend(2);
        using var gpu = Simulated.Backend();
        RankedPrompt want = Rank(cpu, folders, temperature), got = Rank(gpu, folders, temperature);
        RankedSample[] wanted = [.. want.Samples.OrderBy(s => s.Sample.SampleIndex)], gotten = [.. got.Samples.OrderBy(s => s.Sample.SampleIndex)];
        Assert.Equal(Samples, wanted.Length);
        for (int i = 0; i < Samples; i++)
        {
            Assert.Equal(wanted[i].Sample.TokenIds, gotten[i].Sample.TokenIds);
            Assert.Equal(wanted[i].Reward, gotten[i].Reward, 1e-3f);
        }

        Assert.Equal(want.Best.Sample.TokenIds, got.Best.Sample.TokenIds);
        Assert.Equal(temperature > 0, wanted.Select(s => string.Join(' ', s.Sample.TokenIds)).Distinct().Count() > 1);
    }

    [Fact]
    public void The_bench_of_a_simulation_samples_and_rewards_as_on_the_cpu()
    {
        var folders = EmbeddedModels.Extract(_folder);
        PocketRow[] rows = [PocketWorld.Default.Split("eval")[1]];
        using var held = Simulated.Backend();
        PocketBench cpu = new(DeviceChoice.Cpu, 2, 4), gpu = new(DeviceChoice.Parse("cuda-sim"), 2, 4);
        string[][] want = cpu.Sample(folders.Policy, rows, 2, 3, CancellationToken.None), got = gpu.Sample(folders.Policy, rows, 2, 3, CancellationToken.None);
        Assert.Equal(want[0], got[0]);
        float[] wanted = cpu.Reward(folders.Reward, rows, want, CancellationToken.None)[0], gotten = gpu.Reward(folders.Reward, rows, want, CancellationToken.None)[0];
        Assert.All(wanted.Zip(gotten), p => Assert.Equal(p.First, p.Second, 1e-3f));
    }

    private static RankedPrompt Rank(IBackend backend, ModelFolders folders, float temperature)
    {
        ModelFolder policy = ModelFolder.OpenDecoder(folders.Policy), judge = ModelFolder.OpenScorer(folders.Reward);
        var row = PocketWorld.Default.Split("eval")[0];
        string text = PromptDictionary.Default.Format(row.Instruction, row.Input);
        using var decoder = policy.LoadDecoder(backend, DType.F32);
        using var reward = judge.LoadScorer(backend, DType.F32);
        using var generator = new Generator(decoder, policy.Tokenizer, new GenerationOptions
        {
            NumReturnSequences = Samples,
            MaxNewTokens = NewTokens,
            Seed = 11,
            Sampling = new SamplingParameters { Temperature = temperature },
        });
        using var scorer = new Scorer(reward, judge.Tokenizer);
        RankedPrompt? ranked = null;
        BestOfN.Run(generator, scorer, [new Prompt(0, policy.RequireTokenizer().Encode(text), text)], new BestOfNOptions(), done => ranked = done);
        return ranked!;
    }
}
