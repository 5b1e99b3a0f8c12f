using Farm.Cuda.Launch;
using Farm.Models.Configuration;
using Farm.Roofline;

namespace Farm.Cuda.Tests.Roofline;

/// <summary>The arithmetic of the projection, and the files it is made of.</summary>
public sealed class ProjectionTests
{
    private static readonly Chip Chip = new("chip", "chip", 80e9, 1e12, 100e12, 10e12, 100, "made up");

    [Theory]
    [InlineData(2e9, 1e9, 1e9, 2e-3)]
    [InlineData(1e6, 5e11, 1e9, 5e-3)]
    [InlineData(1e6, 1e9, 7e10, 7e-3)]
    public void A_launch_takes_as_long_as_the_slowest_of_memory_tensor_cores_and_float_units(double bytes, double tensor, double flops, double seconds) =>
        Assert.Equal(seconds + 1e-6, new Projection(Chip).Seconds(Launch(1, bytes, tensor, flops)), 1e-12);

    [Fact]
    public void Launches_of_a_pass_follow_each_other_with_a_gap_after_each()
    {
        var pass = Pass("decode", 16, Launch(10, 1e9, 0, 0), Launch(2, 0, 1e11, 0));
        Assert.Equal((10 * 1e-3) + (2 * 1e-3) + (12 * 5e-6), new Projection(Chip, 5e-6).Seconds(pass), 1e-12);
        // Ten of the twelve milliseconds are memory's.
        Assert.Equal(10 / 12.0, new Projection(Chip).MemoryShare(pass), 1e-12);
    }

    [Fact]
    public void Best_of_n_prefills_a_prompt_once_and_then_steps()
    {
        PassCount prefill = Pass("prefill", 512, Launch(1, 0, 1e12, 0)), step = Pass("decode", 64, Launch(1, 4e9, 0, 0)) with { Prompts = 4 };
        // Four prefills of 10 ms and 300 steps of 4 ms for 64 x 300 tokens.
        Assert.Equal(64 * 300 / 1.24, new Projection(Chip, 0).TokensPerSecond(prefill, step, 300), 1e-6);
    }

    [Fact]
    public void A_training_step_is_its_micro_batches_and_one_update()
    {
        PassCount gradients = Pass("gradients", 2048, Launch(1, 0, 1e13, 0)) with { Prompts = 4 }, update = Pass("update", 2048, Launch(1, 8e11, 0, 0));
        Assert.Equal(128 * 512 / ((32 * 0.1) + 0.8), new Projection(Chip, 0).TrainedTokensPerSecond(gradients, update, 128), 1e-6);
    }

    [Fact]
    public void Chips_are_those_of_the_engines_own_table()
    {
        var chips = Files.Chips(AppContext.BaseDirectory);
        Assert.Equal(GpuPeaks.Projected.Select(p => (p.Chip, p.MemoryBytesPerSecond, p.Bf16FlopsPerSecond, p.FloatFlopsPerSecond)), chips.Select(c => (c.Driver, c.BytesPerSecond, c.Bf16Flops, c.FloatFlops)));
        Assert.All(chips, c => Assert.NotEmpty(c.Source));
    }

    [Fact]
    public void Published_figures_name_their_source_and_conditions()
    {
        var chips = Files.Chips(AppContext.BaseDirectory).Select(c => c.Name).ToHashSet();
        var published = Files.Published(AppContext.BaseDirectory);
        Assert.All(published, f => Assert.True(f.Source.Scheme == "https" && f.Conditions.Length > 20 && f.Differs.Length > 10 && chips.Contains(f.Chip) && Workload.Models.Contains(f.Model), f.Engine));
        Assert.All(new[] { "TensorRT-LLM", "vLLM", "SGLang" }, name => Assert.Contains(published, f => f.Engine.StartsWith(name, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_counts_hold_every_pass_and_weights_pass_once()
    {
        var passes = Files.Counts(Path.Combine(AppContext.BaseDirectory, "counts.json"));
        foreach (string model in Workload.Models)
        {
            var config = ModelShapes.Get(model);
            foreach (var (prompts, terms) in Workload.Prompts.SelectMany(p => new[] { (p, 1), (p, 3) }))
            {
                var step = Assert.Single(passes, p => p.Model == model && p.Pass == "decode" && p.Activations == (terms == 1 ? "bf16" : "f32") && p.Prompts == prompts);
                Assert.InRange(step.LaunchTotal, 3, (7 * config.Layers) + 5);
                double weights = step.Launches.Where(l => l.Op == "linear").Sum(l => l.Times * l.Bytes), least = 2.0 * Products(config);
                // Weights once; the rows of few prompts beside them are little, those of 512 sequences are not, and are written and read once more as prepared.
                Assert.InRange(weights / least, 1, prompts == 1 ? 1.03 : prompts == 4 ? 1.1 : terms == 1 ? 1.6 : 1.7);
                Assert.InRange(step.TensorFlops / terms, 2.0 * step.Rows * Products(config), 2.6 * step.Rows * Products(config));
            }

            var gradients = Assert.Single(passes, p => p.Model == model && p.Pass == "gradients");
            // Three products of each weight, and the logits a second time.
            Assert.InRange(gradients.TensorFlops / (2.0 * gradients.Rows * Products(config)), 3, 3.7);
        }
    }

    [Fact]
    public void Chips_that_are_projected_to_run_the_kernels_that_were_counted()
    {
        foreach (var config in Workload.Models.Select(ModelShapes.Get))
        {
            int[] outputs = [config.QueryWidth + (2 * config.KeyValueWidth), config.HiddenSize, 2 * config.IntermediateSize, config.VocabularySize];
            foreach (int tiles in outputs.Select(o => o / 8))
            {
                foreach (int rows in new[] { 16, 64 })
                {
                    var products = InferenceKernels.RoundedBF16Products;
                    Assert.All(Files.Chips(AppContext.BaseDirectory), c => Assert.Equal(products.For(rows, tiles, CountingBackend.Multiprocessors), products.For(rows, tiles, c.Multiprocessors)));
                }
            }
        }
    }

    [Fact]
    public void Every_table_and_line_says_that_it_is_a_projection()
    {
        var report = new Report(Files.Chips(AppContext.BaseDirectory), Files.Published(AppContext.BaseDirectory), Files.Counts(Path.Combine(AppContext.BaseDirectory, "counts.json")), 1e-6);
        string markdown = report.Markdown();
        Assert.StartsWith(Projection.Mark, markdown, StringComparison.Ordinal);
        string[] captions = [.. markdown.Split('\n').Where(l => l.StartsWith("**", StringComparison.Ordinal))];
        Assert.Equal(5, captions.Length);
        Assert.All(captions.Skip(1), c => Assert.Contains(Projection.Mark, c, StringComparison.Ordinal));
        Assert.All(report.Json().Split('\n', StringSplitOptions.RemoveEmptyEntries), l => Assert.Contains(Projection.Mark, l, StringComparison.Ordinal));
    }

    [Fact]
    public void A_published_figure_stands_beside_the_most_prompts_that_fit()
    {
        PassCount Step(int prompts) => Pass("decode", 16 * prompts, Launch(1, 1e9, 0, 0)) with { Prompts = prompts, Samples = 16 };
        var published = new PublishedFigure("engine", "llama-7b", "chip", 8000, "conditions", "differs", new Uri("https://example.org"));
        var report = new Report([Chip], [published], [Pass("prefill", 512, Launch(1, 0, 0, 0)), Step(1), Step(4), Step(32)], 0);
        // 32 prompts of AlpacaFarm's lengths take more than 80 GB.
        var (step, rate) = Assert.NotNull(report.Compare(published));
        Assert.Equal(4, step.Prompts);
        Assert.Equal(64_000, rate, 1e-6);
    }

    private static double Products(ModelConfig c) => (c.Layers * (((c.QueryWidth + (2.0 * c.KeyValueWidth)) * c.HiddenSize) + (c.QueryWidth * (double)c.HiddenSize) + (3.0 * c.HiddenSize * c.IntermediateSize)))
        + ((double)c.HiddenSize * c.VocabularySize);

    private static LaunchCount Launch(long times, double bytes, double tensor, double flops) => new("op", "shape", "kernel", times, bytes, bytes, tensor, flops);

    private static PassCount Pass(string what, int rows, params LaunchCount[] launches) => new("llama-7b", what, "bf16", 1, 0, 512, 150, rows, 0, launches);
}
