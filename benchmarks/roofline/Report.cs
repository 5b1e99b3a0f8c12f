using System.Globalization;
using System.Text;
using System.Text.Json;
using Farm.Cli.Kernels;

namespace Farm.Roofline;

/// <summary>The projection as tables.</summary>
/// <param name="chips">The chips.</param>
/// <param name="published">Figures to stand beside.</param>
/// <param name="passes">The counts.</param>
/// <param name="launchSeconds">The gap after each launch.</param>
internal sealed class Report(IReadOnlyList<Chip> chips, IReadOnlyList<PublishedFigure> published, IReadOnlyList<PassCount> passes, double launchSeconds)
{
    private const string Nothing = "–";

    /// <summary>All tables as Markdown.</summary>
    public string Markdown()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Projection.Mark}. A gap of {launchSeconds * 1e6:0.##} microseconds after each launch is assumed.\n");
        Table(text, "Counted per pass, by the simulator", ["model", "pass", "activations", "prompts", "rows", "launches", "memory GB", "caches GB", "tensor GFLOP", "other GFLOP"],
            passes.Select(p => new[] { p.Model, p.Pass, p.Activations, Whole(p.Prompts), Whole(p.Rows), Whole(p.LaunchTotal), Number(p.Bytes / 1e9), Number(p.CacheBytes / 1e9), Number(p.TensorFlops / 1e9), Number(p.Flops / 1e9) }));
        Table(text, $"Time of a pass, ms; in brackets the share of it that memory bounds, and the TB/s that the caches would have to deliver ({Projection.Mark})", ["model", "pass", "activations", "prompts", .. chips.Select(c => c.Name)],
            passes.Select(p => (string[])[p.Model, p.Pass, p.Activations, Whole(p.Prompts), .. chips.Select(c => Time(p, c))]));
        Table(text, $"Best of {Workload.Samples}, {Workload.PromptTokens} prompt and {Workload.NewTokens} new tokens: tokens a second ({Projection.Mark})",
            ["model", "activations", "prompts in flight", "GB with the reward model", .. chips.Select(c => c.Name)],
            Steps().Select(s => (string[])[s.Model, s.Activations, Whole(s.Prompts), Number(Memory(s) / 1e9), .. chips.Select(c => Rate(s, c))]));
        text.Append("\nIn brackets: does not fit the chip's memory.\n");
        Table(text, $"Beside published figures ({Projection.Mark} for Farm; every figure of others is theirs, under their conditions)",
            ["engine", "model", "chip", "published tokens/s", "conditions", "differs from Farm's", "Farm projected", "share of the projection that equals it", "source"],
            published.Select(f => Compare(f) is { } c
                ? new[] { f.Engine, f.Model, f.Chip, Whole(f.TokensPerSecond), f.Conditions, f.Differs, $"{Whole(c.Rate)} ({c.Step.Prompts} prompts in flight)", Percent(f.TokensPerSecond / c.Rate), f.Source.ToString() }
                : [f.Engine, f.Model, f.Chip, Whole(f.TokensPerSecond), f.Conditions, f.Differs, Nothing, Nothing, f.Source.ToString()]));
        Table(text, $"Supervised fine-tuning of all weights, bf16 products, {Workload.StepSequences} sequences of {Workload.SequenceTokens} tokens a step, {Workload.MicroBatch} at a time ({Projection.Mark})",
            ["model", "GB", .. chips.Select(c => c.Name + " tokens/s"), .. chips.Select(c => c.Name + " of tensor peak")],
            Trainings().Select(t => (string[])[t.Gradients.Model, Number(t.Gradients.MemoryBytes / 1e9), .. chips.Select(c => Bracket(Whole(Trained(t, c)), t.Gradients.MemoryBytes, c)),
                .. chips.Select(c => Percent(t.Gradients.TensorFlops / t.Gradients.Rows * Trained(t, c) / c.Bf16Flops))]));
        text.Append("\nIn brackets: does not fit the chip's memory; the time is as if it did.\n");
        return text.ToString();
    }

    /// <summary>The same as JSON, one object a line.</summary>
    public string Json()
    {
        var lines = new List<string>();
        void Line(object value) => lines.Add(JsonSerializer.Serialize(value));
        foreach (var p in passes)
        {
            Line(new
            {
                kind = "pass",
                note = Projection.Mark,
                model = p.Model,
                pass = p.Pass,
                activations = p.Activations,
                prompts = p.Prompts,
                rows = p.Rows,
                launches = p.LaunchTotal,
                bytes = p.Bytes,
                cache_bytes = p.CacheBytes,
                tensor_flops = p.TensorFlops,
                flops = p.Flops,
                projected_seconds = chips.ToDictionary(c => c.Name, c => new Projection(c, launchSeconds).Seconds(p)),
            });
        }

        foreach (var s in Steps())
        {
            Line(new
            {
                kind = "best-of-n",
                note = Projection.Mark,
                model = s.Model,
                activations = s.Activations,
                prompts = s.Prompts,
                samples = s.Samples,
                memory_bytes = Memory(s),
                projected_tokens_per_second = chips.ToDictionary(c => c.Name, c => Tokens(s, c)),
                fits = chips.ToDictionary(c => c.Name, c => Memory(s) <= c.MemoryBytes),
            });
        }

        foreach (var f in published)
        {
            var c = Compare(f);
            Line(new
            {
                kind = "published",
                note = Projection.Mark,
                engine = f.Engine,
                model = f.Model,
                chip = f.Chip,
                tokens_per_second = f.TokensPerSecond,
                conditions = f.Conditions,
                differs = f.Differs,
                source = f.Source,
                projected_tokens_per_second = c?.Rate,
                share_that_equals = f.TokensPerSecond / c?.Rate,
            });
        }

        foreach (var t in Trainings())
        {
            Line(new
            {
                kind = "training",
                note = Projection.Mark,
                model = t.Gradients.Model,
                memory_bytes = t.Gradients.MemoryBytes,
                projected_tokens_per_second = chips.ToDictionary(c => c.Name, c => Trained(t, c)),
            });
        }

        return string.Concat(lines.Select(l => l + "\n"));
    }

    /// <summary>Farm's projection for a published figure's model and chip: bf16 activations, the most prompts counted that fit the memory.</summary>
    internal (PassCount Step, double Rate)? Compare(PublishedFigure figure)
    {
        var chip = chips.FirstOrDefault(c => c.Name == figure.Chip);
        var step = Steps().Where(s => s.Model == figure.Model && s.Activations == "bf16" && chip is not null && Memory(s) <= chip.MemoryBytes).MaxBy(s => s.Prompts);
        return chip is null || step is null ? null : (step, Tokens(step, chip));
    }

    private IEnumerable<PassCount> Steps() => passes.Where(p => p.Pass == "decode");

    private IEnumerable<(PassCount Gradients, PassCount Update)> Trainings() =>
        passes.Where(p => p.Pass == "gradients").Select(g => (g, passes.First(p => p.Pass == "update" && p.Model == g.Model)));

    private static double Memory(PassCount step) =>
        new BestOfNMemory(ModelShape.Parse(step.Model), step.Prompts, step.Samples, Workload.PromptTokens, Workload.NewTokens).Total;

    private double Tokens(PassCount step, Chip chip) => new Projection(chip, launchSeconds).TokensPerSecond(
        passes.First(p => p.Pass == "prefill" && p.Model == step.Model && p.Activations == step.Activations), step, Workload.NewTokens);

    private double Trained((PassCount Gradients, PassCount Update) training, Chip chip) =>
        new Projection(chip, launchSeconds).TrainedTokensPerSecond(training.Gradients, training.Update, Workload.StepSequences);

    private string Rate(PassCount step, Chip chip) => Bracket(Whole(Tokens(step, chip)), Memory(step), chip);

    private string Time(PassCount pass, Chip chip)
    {
        var projection = new Projection(chip, launchSeconds);
        double seconds = projection.Seconds(pass);
        return $"{Number(seconds * 1e3)} ({Percent(projection.MemoryShare(pass))}, {Number(pass.CacheBytes / seconds / 1e12)})";
    }

    private static string Bracket(string value, double bytes, Chip chip) => bytes <= chip.MemoryBytes ? value : $"({value})";

    private static void Table(StringBuilder text, string caption, string[] head, IEnumerable<string[]> rows)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n**{caption}**\n\n| {string.Join(" | ", head)} |\n|{string.Concat(head.Select(_ => "---|"))}\n");
        foreach (string[] row in rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {string.Join(" | ", row)} |\n");
        }
    }

    private static string Number(double value) => value.ToString(value >= 100 ? "N0" : value >= 1 ? "F1" : "0.###", CultureInfo.InvariantCulture);

    private static string Whole(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("P0", CultureInfo.InvariantCulture);
}
