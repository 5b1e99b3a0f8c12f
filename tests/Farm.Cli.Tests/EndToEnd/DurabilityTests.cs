using System.Diagnostics;
using System.Globalization;
using Farm.Cli.Output;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary>
/// Runs that are stopped half-way. Nobody reads the run's standard output until it has been stopped, so it cannot end before: the pipe holds
/// far less than it has to print.
/// </summary>
public sealed class DurabilityTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private const int Prompts = 60;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void Should_keep_what_is_done_when_interrupted_and_go_on_to_the_same_bytes(string signal)
    {
        string[] command = Command(_folder.File("out.json"));
        using (var process = FarmProcess.Start(command))
        {
            WaitForRows(process, 3);
            process.Signal(signal);
            var result = process.Finish();

            Assert.Equal(130, result.ExitCode);
            Assert.Contains("--resume", result.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
        }

        Assert.InRange(FinishedRows(), 3, Prompts - 1);
        Assert.False(File.Exists(_folder.File("out.json")));
        AssertResumedEqualsUninterrupted(command);
    }

    [Fact]
    public void Should_go_on_to_the_same_bytes_after_a_kill()
    {
        string[] command = Command(_folder.File("out.json"));
        using (var process = FarmProcess.Start(command))
        {
            WaitForRows(process, 3);
            process.Kill();
        }

        Assert.InRange(FinishedRows(), 3, Prompts - 1);
        var refused = FarmProcess.Run(command);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("--resume", refused.Error, StringComparison.Ordinal);
        AssertResumedEqualsUninterrupted(command);
    }

    [Fact]
    public void Should_refuse_to_go_on_with_other_settings()
    {
        string[] command = Command(_folder.File("out.json"));
        using (var process = FarmProcess.Start(command))
        {
            WaitForRows(process, 1);
            process.Kill();
        }

        var result = FarmProcess.Run([.. command, "--seed", "9", "--resume"]);

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("seed: 0 there, 9 now", result.Error, StringComparison.Ordinal);
        Assert.InRange(FinishedRows(), 1, Prompts - 1);
    }

    [Fact]
    public void Should_keep_what_is_done_when_the_disk_is_full_and_go_on_when_there_is_room()
    {
        // A limit on the size of files stands in for a full disk; the runtime must not map its code through a file then.
        string[] command = Command(_folder.File("out.json"));
        FarmResult result;
        using (var process = FarmProcess.StartByShell("trap '' XFSZ; ulimit -f 16; DOTNET_EnableWriteXorExecute=0 exec \"$@\"", command))
        {
            result = process.Finish();
        }

        Assert.Equal(2, result.ExitCode);
        Assert.Contains("out.json.partial.jsonl cannot be written", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder.File("out.json")));
        Assert.InRange(FinishedRows(), 1, Prompts - 1);
        AssertResumedEqualsUninterrupted(command);
    }

    [Fact]
    public void Should_go_on_with_best_of_n_to_the_same_bytes()
    {
        string input = Rows.Write(_folder, 6);
        string[] best = BestOfN(_folder.File("out.json"));
        Assert.Equal(0, FarmProcess.Run(BestOfN(_folder.File("whole.json"))).ExitCode);

        // A file-size limit ends the run after some rows, wherever it is then.
        using (var process = FarmProcess.StartByShell("trap '' XFSZ; ulimit -f 3; DOTNET_EnableWriteXorExecute=0 exec \"$@\"", best))
        {
            Assert.Equal(2, process.Finish().ExitCode);
        }

        Assert.InRange(FinishedRows(), 1, 5);
        Assert.Equal(0, FarmProcess.Run([.. best, "--resume"]).ExitCode);
        Assert.Equal(File.ReadAllBytes(_folder.File("whole.json")), File.ReadAllBytes(_folder.File("out.json")));

        string[] BestOfN(string output) =>
            ["best-of-n", "--decoder", models.Decoder, "--scorer", models.Scorer, "--input", input, "--output", output, "-n", "4", "--max-new-tokens", "24", "--dtype", "f32", "--threads", "1"];
    }

    private string[] Command(string output)
    {
        string input = _folder.File("in.json");
        if (!File.Exists(input))
        {
            Rows.Write(_folder, Prompts);
        }

        return
        [
            "decode", "--model", models.Decoder, "--input", input, "--output", output, "--json", "-n", "4", "--max-new-tokens", "48", "--batch-sequences", "4", "--dtype", "f32", "--threads", "1",
        ];
    }

    private void AssertResumedEqualsUninterrupted(string[] command)
    {
        Assert.Equal(0, FarmProcess.Run([.. command, "--resume"]).ExitCode);
        Assert.Equal(0, FarmProcess.Run(Command(_folder.File("whole.json"))).ExitCode);
        Assert.Equal(File.ReadAllBytes(_folder.File("whole.json")), File.ReadAllBytes(_folder.File("out.json")));
        Assert.False(File.Exists(Journal.PathOf(_folder.File("out.json"))));
    }

    /// <summary>Waits until the journal holds so many rows; the run cannot end meanwhile.</summary>
    private void WaitForRows(FarmProcess process, int rows)
    {
        long start = Stopwatch.GetTimestamp();
        while (FinishedRows() < rows)
        {
            Assert.False(process.HasExited, "The run ended before it was stopped.");
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(10), "The run finished no rows.");
        }
    }

    /// <summary>Whole lines of the journal after its first.</summary>
    private int FinishedRows()
    {
        string path = Journal.PathOf(_folder.File("out.json"));
        if (!File.Exists(path))
        {
            return 0;
        }

        // The run has the file locked against other .NET processes; wc does not ask.
        using var count = Process.Start(new ProcessStartInfo("wc", ["-l", path]) { RedirectStandardOutput = true })!;
        string text = count.StandardOutput.ReadToEnd();
        count.WaitForExit();
        return Math.Max(0, int.Parse(text.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture) - 1);
    }
}
