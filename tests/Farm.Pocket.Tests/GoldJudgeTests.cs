using Farm.Core;
using Farm.Pocket.Data;
using Farm.Pocket.Judging;
using Farm.Pocket.Kinds;
using Farm.Pocket.Tasks;

namespace Farm.Pocket.Tests;

public sealed class GoldJudgeTests
{
    private const int RowsPerKind = 120;

    public static TheoryData<string> Kinds => [.. TaskKinds.All.Select(k => k.Name)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Should_give_every_right_answer_at_least_nine_tenths(string name)
    {
        foreach (var (row, task, draws) in Sample(name))
        {
            for (int i = 0; i < 6; i++)
            {
                string answer = task.Answer(draws);
                var score = GoldJudge.Score(row, answer);
                Assert.True(score.Total >= 0.9 && score.Correctness == 1 && score.Constraint == 1, $"{row.Instruction} [{row.Input}] -> {answer}: {score}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Should_give_a_wrong_answer_of_the_same_kind_clearly_less(string name)
    {
        var wrong = new DemonstrationMix(1, 0, 0, 0, 0);
        double sum = 0;
        int count = 0;
        foreach (var (row, task, draws) in Sample(name))
        {
            string answer = Demonstrator.Write(row, wrong, draws);
            var score = GoldJudge.Score(row, answer);
            Assert.True(score.Total <= 0.65, $"{row.Instruction} [{row.Input}] -> {answer}: {score}");
            sum += score.Total;
            count++;
        }

        Assert.InRange(sum / count, 0, 0.55);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Should_give_the_answer_of_another_kind_little(string name)
    {
        var offTopic = new DemonstrationMix(0, 0, 0, 0, 1);
        var scores = Sample(name).Select(s => GoldJudge.Score(s.Row, Demonstrator.Write(s.Row, offTopic, s.Draws)).Total).ToArray();
        Assert.InRange(scores.Average(), 0, 0.3);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Should_lower_the_score_as_garbage_is_added(string name)
    {
        foreach (var (row, task, draws) in Sample(name).Take(30))
        {
            string response = task.Answer(draws);
            var before = GoldJudge.Score(row, response);
            double first = before.Total;
            for (int i = 0; i < 6; i++)
            {
                response += " Zxq vrm wlk pqt yyz bbn.";
                var after = GoldJudge.Score(row, response);
                Assert.True(after.Brevity <= before.Brevity && after.Relevance <= before.Relevance, $"{row.Instruction} -> {response}: {after} after {before}");
                Assert.True(after.Total <= before.Total + 1e-9, $"{row.Instruction} -> {response}: {after} after {before}");
                before = after;
            }

            Assert.True(before.Total < first - 0.1, $"{row.Instruction} -> {response}: {before}");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Should_read_the_kind_from_the_instruction(string name)
    {
        foreach (var (row, _, _) in Sample(name))
        {
            Assert.Equal(name, GoldJudge.KindOf(row));
        }
    }

    [Fact]
    public void Should_accept_right_answers_that_are_written_otherwise()
    {
        Check("Name three colours.", "", "Pink, grey, white.");
        Check("What is two plus three?", "", "5.");
        Check("What is two plus three?", "", "Two plus three equals five.");
        Check("Sort the numbers from small to large.", "9, 4, 30", "4 9 30.");
        Check("Can a cat swim?", "", "No, it can not.");
        Check("Which is bigger, a cat or a cow?", "", "A cow is bigger than a cat.");
        Check("What is the plural of mouse?", "", "Mice.");
        Check("Write a sentence with the words hat and red.", "", "My friend Leo likes the red hat.");
        Check("What is the opposite of hot?", "", "The opposite is cold.");

        static void Check(string instruction, string input, string response)
        {
            var score = GoldJudge.Score(new PocketRow(instruction, input), response);
            Assert.True(score.Correctness == 1 && score.Total >= 0.9, $"{instruction} -> {response}: {score}");
        }
    }

    [Theory]
    [InlineData("Name three colours.", "", "Red, red and red.", "Red, blue and green.")]
    [InlineData("Name three colours.", "", "Red, blue, green, pink and black.", "Red, blue and green.")]
    [InlineData("What is two plus three?", "", "Five or six.", "Five.")]
    [InlineData("Can a cat swim?", "", "Yes and no.", "No.")]
    [InlineData("Describe a cat in exactly four words.", "", "The cat is very big and old.", "The cat is big.")]
    [InlineData("Which is bigger, a cat or a cow?", "", "Cat cow.", "The cow.")]
    [InlineData("Write the text in capital letters.", "anna has a hat", "Anna has a hat", "ANNA HAS A HAT")]
    [InlineData("What is the opposite of hot?", "", "Cold, wet, big.", "Cold.")]
    [InlineData("What is the opposite of hot?", "", "cold", "Cold.")]
    public void Should_prefer_the_better_of_two(string instruction, string input, string worse, string better)
    {
        var row = new PocketRow(instruction, input);
        Assert.True(GoldJudge.Score(row, worse).Total < GoldJudge.Score(row, better).Total);
    }

    [Fact]
    public void Should_take_any_text_as_a_response()
    {
        string[] hostile =
        [
            "", " ", "\0", "\u0001\u0002\u001b[31m", "\ud800", "\udc00x\ud800", "a\ud83d", "\ud83d\ude00", new string('a', 1_000_000), string.Concat(Enumerable.Repeat("yes no ", 100_000)),
            new string('\n', 5000), "'", "''''", "''' 'x'", "-", "\"", ".", "999999999999999999999999", "٣٤", "\uFFFD", "{0} {instruction}", "a\u0301\u200B\u202E", "İı", new string('1', 5000),
        ];
        foreach (var kind in TaskKinds.All)
        {
            var row = kind.Write(new Draws(3, kind.Name));
            foreach (string text in hostile)
            {
                var score = GoldJudge.Score(row, text);
                foreach (double part in new[] { score.Correctness, score.Constraint, score.Relevance, score.WellFormedness, score.Brevity, score.Total })
                {
                    Assert.InRange(part, 0, 1);
                }
            }

            Assert.Equal(0, GoldJudge.Score(row, null).Total);
            Assert.Equal(0, GoldJudge.Score(row, "\u0001 ...").Total);
        }
    }

    [Theory]
    [InlineData("Write a poem about the sea.", "")]
    [InlineData("", "")]
    [InlineData("Sort the numbers from small to large.", "red, blue")]
    [InlineData("Fill in the blank.", "")]
    [InlineData("List zero colours.", "")]
    [InlineData("Who has the hat?", "hat")]
    [InlineData("What is \ud800 plus two?", "")]
    public void Should_refuse_rows_of_another_world(string instruction, string input)
    {
        var row = new PocketRow(instruction, input);
        Assert.Null(GoldJudge.KindOf(row));
        Assert.Contains("none of the pocket world", Assert.Throws<BadInputException>(() => GoldJudge.Score(row, "x")).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<(PocketRow Row, PocketTask Task, Draws Draws)> Sample(string name)
    {
        var kind = TaskKinds.All.Single(k => k.Name == name);
        var draws = new Draws(7, name);
        for (int i = 0; i < RowsPerKind; i++)
        {
            var row = kind.Write(draws);
            if (kind.Read(row) is { } task)
            {
                yield return (row, task, draws);
            }
        }
    }
}
