using Farm.Cli.Progress;

namespace Farm.Cli.Tests.Progress;

public sealed class LogProgressTests
{
    [Fact]
    public void Should_write_a_line_at_the_start_every_ten_seconds_and_at_the_end()
    {
        var clock = new Clock();
        var writer = new StringWriter { NewLine = "\n" };
        var progress = new LogProgress("Sampling", 2, 6, writer, clock);
        for (int second = 1; second <= 8; second++)
        {
            clock.Advance(TimeSpan.FromSeconds(2));
            progress.Report(2 + (second / 2), second * 100);
        }

        Assert.Equal("Sampling: 2/6 prompts\nSampling: 4/6 prompts, 50.0 tokens/s, 0:10 left\nSampling: 6/6 prompts, 50.0 tokens/s, 0:00 left\n", writer.ToString());
    }

    [Fact]
    public void Should_not_guess_the_time_left_before_anything_is_done()
    {
        var clock = new Clock();
        var rate = new RateEstimate(0, 5, clock);
        clock.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("0/5 prompts", rate.Describe(0, 0));
        Assert.Null(rate.Left(0));
    }

    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(TimeSpan time) => _ticks += time.Ticks;

        public override long GetTimestamp() => _ticks;
    }
}
