using System.Diagnostics;
using System.Globalization;
using Farm.Annotation.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Farm.JudgeBench;

/// <summary>
/// A judge's server that fails in every way at random, and a client process that is killed twice. In the end every pair is annotated or a typed
/// failure, and no pair was asked again once its reply was in the journal.
/// </summary>
internal static class Chaos
{
    public static async Task<int> RunAsync(int pairs)
    {
        var random = new Random(1);
        var gate = new Lock();
        var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var kept = new HashSet<int>();
        int answered = 0, paidTwice = 0;
        using var server = new FakeJudgeServer(body =>
        {
            lock (gate)
            {
                paidTwice += kept.Contains(Answers.Index(body)) ? 1 : 0;
                var (name, answer) = Draw(random.Next(1000), body);
                counts[name] = counts.GetValueOrDefault(name) + 1;
                answered += name is "answered" or "garbage" ? 1 : 0;
                return answer;
            }
        });
        var folder = Directory.CreateTempSubdirectory("farm-chaos-");
        try
        {
            foreach (double share in new[] { 0.3, 0.65, double.PositiveInfinity })
            {
                using var client = Start(server.BaseUrl, folder.FullName, pairs);
                while (!client.HasExited && Volatile.Read(ref answered) < share * pairs)
                {
                    await Task.Delay(5);
                }

                if (!client.HasExited)
                {
                    client.Kill();
                    await client.WaitForExitAsync();
                    lock (gate)
                    {
                        kept.UnionWith(Kept(Path.Combine(folder.FullName, "journal.db")));
                    }

                    Console.Out.WriteLine($"killed after {answered} replies; {kept.Count} of them are in the journal");
                    continue;
                }

                Console.Out.WriteLine($"requests by what became of them: {string.Join(", ", counts.Select(c => $"{c.Key} {c.Value}"))}");
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"pairs paid again after their reply was journaled: {paidTwice}; the last client ended with {client.ExitCode}"));
                return client.ExitCode == 0 && paidTwice == 0 ? 0 : 1;
            }

            return 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (string Name, FakeAnswer Answer) Draw(int lot, string body) => lot switch
    {
        < 80 => ("429", FakeAnswer.Error(429, "slow down") with { Headers = "Retry-After: 0\r\n" }),
        < 160 => ("500", FakeAnswer.Error(500, "oops")),
        < 165 => ("timeout", FakeAnswer.Chat("x") with { IsSilent = true }),
        < 200 => ("cut off", FakeAnswer.Chat("first") with { CutAt = 40 }),
        < 230 => ("truncated JSON", new FakeAnswer(200, "{\"choices\": [{\"mess")),
        < 280 => ("garbage", FakeAnswer.Chat("I would rather not say.")),
        _ => ("answered", Answers.Honest(body)),
    };

    private static Process Start(string url, string folder, int pairs) => Process.Start(new ProcessStartInfo(
        Environment.ProcessPath!,
        [.. Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? new[] { typeof(Chaos).Assembly.Location } : [], "annotate", url, folder, pairs.ToString(CultureInfo.InvariantCulture), "64"]))!;

    private static List<int> Kept(string journal)
    {
        using var connection = new SqliteConnection($"Data Source={journal};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT p.instruction FROM pairs p JOIN calls c ON c.id = p.call WHERE c.reply IS NOT NULL";
        using var rows = command.ExecuteReader();
        var kept = new List<int>();
        while (rows.Read())
        {
            kept.Add(int.Parse(rows.GetString(0).AsSpan("instruction ".Length), CultureInfo.InvariantCulture));
        }

        return kept;
    }
}
