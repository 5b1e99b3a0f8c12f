using Farm.Core;
using Farm.Training.Data;
using Farm.Training.Metrics;
using Farm.Training.Optimisation;
using Farm.Training.Tasks;

namespace Farm.Training.Tests;

/// <summary>Schedules, orders, losses on rewards, and files of metrics.</summary>
public sealed class PlanTests
{
    [Fact]
    public void Schedules_have_the_published_values()
    {
        var cosine = LearningRateSchedule.WithRatio(ScheduleKind.Cosine, 234, 0.03);
        Assert.Equal(8, cosine.WarmupSteps);
        Assert.Equal((0, 0.125, 1), (cosine.Factor(0), cosine.Factor(1), cosine.Factor(8)));
        Assert.Equal(0.527787, cosine.Factor(117), 1e-6);
        var linear = new LearningRateSchedule(ScheduleKind.Linear, 390, 5);
        Assert.Equal([0, 0.2, 0.4, 0.6, 0.8, 1, 0.997403, 0.994805], Enumerable.Range(0, 8).Select(k => Math.Round(linear.Factor(k), 6)));
        Assert.Equal(0.002597, linear.Factor(389), 1e-6);
        Assert.Equal(1, new LearningRateSchedule(ScheduleKind.Constant, 9, 0).Factor(8));
        Assert.Throws<BadInputException>(() => LearningRateSchedule.Parse("cosinus"));
    }

    [Fact]
    public void Epochs_see_every_example_once_and_what_is_left_over_comes_first_in_the_next()
    {
        var plan = new UpdatePlan(11, 2, 2, 7);
        Assert.Equal(1, new UpdatePlan(3, 2, 2, 7).UpdatesPerEpoch);
        Assert.Equal(3, plan.UpdatesPerEpoch);
        Assert.Equal(Enumerable.Range(0, 11), Enumerable.Range(0, 3).SelectMany(plan.ExamplesOf).Order());
        var uneven = new UpdatePlan(10, 1, 4, 7);
        Assert.Equal(2, uneven.UpdatesPerEpoch);
        int[] first = [.. uneven.ExamplesOf(0), .. uneven.ExamplesOf(1)], second = uneven.ExamplesOf(2);
        Assert.Equal(8, first.Distinct().Count());
        Assert.Equal(Enumerable.Range(0, 10).Except(first).Order(), second[..2].Order());
        Assert.Equal(6, second.Length);
        Assert.Equal(Enumerable.Range(0, 10), second[2..].Concat(uneven.ExamplesOf(3)).Concat(uneven.ExamplesOf(4)[..2]).Order());
        Assert.NotEqual(plan.ExamplesOf(0), new UpdatePlan(11, 2, 2, 8).ExamplesOf(0));
    }

    [Fact]
    public void The_split_is_that_of_torch_randperm()
    {
        // torch.manual_seed(42); torch.randperm(10)
        Assert.Equal([2, 6, 1, 8, 4, 5, 0, 9, 3, 7], Permutations.Torch(10, 42));
        var (train, eval) = Permutations.Split(10, 3, 42);
        Assert.Equal([2, 6, 1, 8, 4, 5, 0], train);
        Assert.Equal([9, 3, 7], eval);
        Assert.Throws<BadInputException>(() => Permutations.Split(10, 10, 42));
    }

    [Fact]
    public void Saturated_pairs_have_finite_losses_and_a_tie_is_a_prediction_of_the_second()
    {
        var task = new PairwiseTask();
        var gradients = new float[2];
        var second = new TrainingExample([[1], [2]], Target: 1);
        Assert.Equal(1000, task.Loss(second, [1000, 0], gradients), 1e-9);
        Assert.Equal([1, -1], gradients);
        Assert.Equal(0, task.Loss(second, [0, 1000], gradients), 1e-9);
        Assert.Equal(Math.Log(2), task.Loss(second, [3, 3], gradients), 1e-12);
        var metrics = task.EvaluationMetrics([new ExampleResult(second, 1, 1, [3, 3]), new ExampleResult(second with { Target = 0 }, 1, 1, [3, 3])]).ToDictionary();
        Assert.Equal(0.5, metrics["accuracy"]);
        Assert.Equal(1, metrics["positive_rate"]);
        Assert.Equal(1, metrics["false_positive_rate"]);
    }

    [Fact]
    public void Event_files_have_TensorFlows_framing()
    {
        using var folder = new TemporaryFolder();
        using (var sink = new TensorBoardSink(folder.Path))
        {
            sink.Begin(0);
            sink.Write(new MetricLine(300, [("loss", 1.5), ("eval_accuracy", 0.25)]));
        }

        byte[] bytes = File.ReadAllBytes(Directory.GetFiles(folder.Path).Single());
        // The length 24 of the first record and its masked checksum are those of every event file that begins with a version.
        Assert.Equal("1800000000000000A37F4B22", Convert.ToHexString(bytes[..12]));
        string text = System.Text.Encoding.Latin1.GetString(bytes);
        Assert.Contains("brain.Event:2", text, StringComparison.Ordinal);
        Assert.Contains("train/loss\u0015\0\0\u00C0?", text, StringComparison.Ordinal);
        Assert.Contains("eval/accuracy\u0015\0\0\u0080>", text, StringComparison.Ordinal);
        Assert.Contains("\u0010\u00AC\u0002", text, StringComparison.Ordinal);
    }
}
