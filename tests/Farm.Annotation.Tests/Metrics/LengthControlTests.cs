using Farm.Annotation.Metrics;
using Farm.Annotation.Metrics.LengthControl;
using Farm.Core;

namespace Farm.Annotation.Tests.Metrics;

public class LengthControlTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    private static List<ScoredPair> Rows(int n, Random random, Func<int, double?> preference) =>
        [.. Enumerable.Range(0, n).Select(i => new ScoredPair
        {
            Place = $"f, row {i + 1}",
            Position = i,
            Instruction = $"i{i}",
            Output1 = new string('a', random.Next(1, 400)),
            Output2 = new string('b', random.Next(1, 400)),
            Generator1 = "base",
            Generator2 = "model",
            Preference = preference(i),
        })];

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.6)]
    [InlineData(40)]
    [InlineData(1e4)]
    public void Should_reach_the_optimum_whatever_the_penalty(double c)
    {
        var random = new Random(3);
        double[][] x = [.. Enumerable.Range(0, 200).Select(_ => new[] { (random.NextDouble() * 2) - 1, random.NextDouble() * 4, 1.0 })];
        double[] y = [.. x.Select(r => L1LogisticRegression.Sigmoid((1.3 * r[0]) - (0.4 * r[1])) > random.NextDouble() ? 1.0 : random.NextDouble() * 0.2)];
        double[] w = [.. x.Select(_ => random.NextDouble() + 0.1)];
        double[] beta = L1LogisticRegression.Fit(x, y, w, c);
        // The subgradient conditions of the documented objective.
        for (int k = 0; k < 3; k++)
        {
            double gradient = 0;
            for (int i = 0; i < x.Length; i++)
            {
                gradient += c * w[i] * x[i][k] * (L1LogisticRegression.Sigmoid(x[i].Zip(beta, (a, b) => a * b).Sum()) - y[i]);
            }

            if (beta[k] == 0)
            {
                Assert.True(Math.Abs(gradient) <= 1 + 1e-9);
            }
            else
            {
                Assert.True(Math.Abs(gradient + Math.Sign(beta[k])) <= 1e-9 * (1 + (c * x.Length)));
            }
        }

        // And no nearby point is better.
        double best = L1LogisticRegression.Objective(x, y, w, c, beta);
        for (int trial = 0; trial < 200; trial++)
        {
            double[] near = [.. beta.Select(b => b + ((random.NextDouble() - 0.5) * Math.Pow(10, -trial % 6)))];
            Assert.True(L1LogisticRegression.Objective(x, y, w, c, near) >= best - 1e-9);
        }
    }

    [Fact]
    public void Should_find_the_closed_form_of_one_constant_feature()
    {
        // d/db of |b| + C n (log(1 + e^b) - y b) = 0 gives sigmoid(b) = y - sign(b) / (C n).
        double[][] one = [[1.0]];
        double[] label = [0.9], weight = [1.0];
        double[] beta = L1LogisticRegression.Fit([.. Enumerable.Repeat(one[0], 10)], [.. Enumerable.Repeat(0.9, 10)], [.. Enumerable.Repeat(1.0, 10)], 2);
        double p = 0.9 - (1 / 20.0);
        Assert.Equal(Math.Log(p / (1 - p)), beta[0], 10);
        Assert.Equal(0, L1LogisticRegression.Fit(one, label, weight, 0.1)[0]);
    }

    [Fact]
    public void Should_stay_finite_on_labels_that_can_be_told_apart()
    {
        double[][] x = [.. Enumerable.Range(-20, 41).Where(i => i != 0).Select(i => new[] { i / 20.0, 0.0, 1.0 })];
        double[] beta = L1LogisticRegression.Fit(x, [.. x.Select(r => r[0] > 0 ? 1.0 : 0)], [.. x.Select(_ => 1.0)], 1e4);
        Assert.All(beta, b => Assert.True(double.IsFinite(b)));
        Assert.True(beta[0] > 10);
        Assert.Equal(0, beta[1]);
    }

    [Fact]
    public void Should_take_the_part_of_length_out()
    {
        var random = new Random(1);
        // The judge looks at nothing but length, and the model writes at greater length: without length it is worth a draw.
        var rows = Rows(800, random, _ => null).Select(r => r with { Output2 = r.Output2 + new string('c', 150) })
            .Select(r => r with { Preference = 1 + L1LogisticRegression.Sigmoid((r.Output2!.Length - r.Output1!.Length) / 60.0) }).ToList();
        Assert.True(WinRate.Of(rows.Select(r => r.Preference)).Percent > 70);
        var controlled = LengthControlledWinRate.Fit(rows);
        Assert.Equal(LengthControlFormula.Minimal, controlled.Formula);
        Assert.InRange(controlled.Percent, 35, 65);
        Assert.True(controlled.Weights.Length < -1);
    }

    [Fact]
    public void Should_fit_all_formulas_and_be_the_same_each_time()
    {
        var random = new Random(2);
        var rows = Rows(150, random, i => i % 7 == 0 ? null : 1 + random.NextDouble());
        var difficulty = InstructionDifficulty.Of([.. rows.Select(_ => (random.NextDouble() * 4) - 2)], [.. rows.Select(r => r.Instruction!)]);
        var gamed = new GamedBaselines([.. Enumerable.Range(0, 300).Select(_ => new GamedRow(random.NextDouble(), random.NextDouble() - 0.5, random.NextDouble()))]);
        var full = LengthControlledWinRate.Fit(rows, difficulty, gamed);
        Assert.Equal((LengthControlFormula.V1, "length_controlled_v1"), (full.Formula, full.Formula.Name()));
        Assert.Equal(150, full.Predictions.Count);
        Assert.Equal(full.Weights, LengthControlledWinRate.Fit(rows, difficulty, gamed, byInstruction: true).Weights);
        Assert.Equal(LengthControlFormula.NoRegularization, LengthControlledWinRate.Fit(rows, difficulty).Formula);
        Assert.Equal(full.Percent, LengthControlledWinRate.Predict(rows, full.Weights, difficulty).Percent, 12);
    }

    [Fact]
    public void Should_say_fifty_for_the_baseline_itself()
    {
        var rows = Rows(20, new Random(4), _ => 1.5).Select(r => r with { Generator2 = "base" }).ToList();
        var controlled = LengthControlledWinRate.Fit(rows);
        Assert.Equal((50.0, 0.0), (controlled.Percent, controlled.StandardError));
    }

    [Fact]
    public void Should_predict_from_published_weights()
    {
        string path = _scratch.Write("w.csv", ",np.tanh(std_delta_len),instruction_difficulty,not_gamed_baseline.astype(float)\nold,1,1,1\nm,-1.5835274219761557,0.8334888457867451,0.1923534665807022\nm,0,2,0\n");
        var weights = GlmWeights.Read(path);
        Assert.Equal(new GlmWeights(0, 2, 0), weights["m"]);
        var rows = Rows(2, new Random(1), _ => null);
        var controlled = LengthControlledWinRate.Predict(rows, weights["m"], InstructionDifficulty.Of([0, 1]));
        double p = 1 / (1 + Math.Exp(-2));
        Assert.Equal(50 * (0.5 + p), controlled.Percent, 12);
        Assert.Equal(100 * Math.Sqrt(Math.Pow(p - 0.5, 2) / 2) / Math.Sqrt(2), controlled.StandardError, 12);
        Assert.Equal(weights["old"], GlmWeights.Read(_scratch.Write("x.csv", GlmWeights.Write(weights)))["old"]);
        Assert.Equal(50, GlmWeights.Compare(weights["m"], weights["m"], [0.0, 3]), 12);
    }

    [Fact]
    public void Should_read_difficulties_with_or_without_an_index_and_name_what_is_missing()
    {
        Assert.Equal([0.5, -1], InstructionDifficulty.Read(_scratch.Write("a.csv", ",instruction_difficulty\n0,0.5\n1,-1\n")).Values);
        Assert.Equal([0.5], InstructionDifficulty.Read(_scratch.Write("b.csv", "difficulty\n0.5\n")).Values);
        var rows = Rows(3, new Random(1), _ => 1.2);
        var two = InstructionDifficulty.Read(_scratch["a.csv"]);
        Assert.Contains("for 2 rows only", Assert.Throws<BadInputException>(() => LengthControlledWinRate.Fit(rows, two)).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be found by instruction", Assert.Throws<BadInputException>(() => LengthControlledWinRate.Fit(rows, two, byInstruction: true)).Message, StringComparison.Ordinal);
        Assert.Contains("row 2, field 'x': must be a number", Assert.Throws<BadInputException>(() => InstructionDifficulty.Read(_scratch.Write("c.csv", "x\nhard\n"))).Message, StringComparison.Ordinal);
        Assert.Contains("no header", Assert.Throws<BadInputException>(() => InstructionDifficulty.Read(_scratch.Write("d.csv", "0.5\n0.6\n"))).Message, StringComparison.Ordinal);
        Assert.Contains("no column 'std_delta_len'", Assert.Throws<BadInputException>(() => GamedBaselines.Read(_scratch.Write("e.csv", "preference\n1\n"))).Message, StringComparison.Ordinal);
        string gamed = _scratch.Write("f.csv", "preference,std_delta_len,instruction_difficulty\n,1,1\n1.5,1,1\n");
        Assert.Contains("row 3, field 'preference': must be from 0 to 1", Assert.Throws<BadInputException>(() => GamedBaselines.Read(gamed)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_rows_without_outputs_or_without_any_preference()
    {
        var rows = Rows(10, new Random(1), _ => null);
        Assert.Contains("no row of the model has a preference", Assert.Throws<BadInputException>(() => LengthControlledWinRate.Fit(rows)).Message, StringComparison.Ordinal);
        rows[3] = rows[3] with { Output2 = null };
        Assert.Contains("row 4: the field 'output_2' is missing", Assert.Throws<BadInputException>(() => LengthControlledWinRate.Fit(rows)).Message, StringComparison.Ordinal);
    }
}
