using System.Globalization;
using Farm.Annotation.Tests.Support;

namespace Farm.JudgeBench;

/// <summary>Judgements a second against a server in the same process that answers at once, or after a latency.</summary>
internal static class Throughput
{
    public static async Task<int> RunAsync(int pairs, int latency, int inFlight)
    {
        using var server = new FakeJudgeServer(body => Answers.Honest(body) with { Delay = TimeSpan.FromMilliseconds(latency) });
        var folder = Directory.CreateTempSubdirectory("farm-judge-bench-");
        try
        {
            // What is compiled while it runs is not what is measured.
            await Client.RunAsync(server.BaseUrl, Path.Combine(folder.FullName, "warm"), Math.Min(pairs, 2000), inFlight);
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{pairs} pairs, {latency} ms, {inFlight} in flight{(latency > 0 ? $", ideal {inFlight * 1000.0 / latency:F0}/s" : string.Empty)}"));
            return await Client.RunAsync(server.BaseUrl, Path.Combine(folder.FullName, "run"), pairs, inFlight);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
