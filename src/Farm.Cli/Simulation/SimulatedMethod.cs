using System.Text.Json.Nodes;

namespace Farm.Cli.Simulation;

/// <summary>A line of the table.</summary>
/// <param name="Name">The method.</param>
/// <param name="Win">Win rate against the fine-tuned model by simulated judges, in percent.</param>
/// <param name="WinError">Its standard error over instructions.</param>
/// <param name="GoldWin">Win rate by gold.</param>
/// <param name="GoldWinError">Its standard error.</param>
/// <param name="Gold">Mean gold score.</param>
/// <param name="GoldError">Its standard error.</param>
/// <param name="Gain">Mean over instructions of the gold score less the fine-tuned model's.</param>
/// <param name="GainError">Its standard error.</param>
/// <param name="Proxy">Mean reward by the reward model.</param>
/// <param name="Characters">Mean length.</param>
internal sealed record SimulatedMethod(
    string Name, double Win, double WinError, double GoldWin, double GoldWinError, double Gold, double GoldError, double Gain, double GainError, double Proxy, double Characters)
{
    /// <summary>Measures a method from its samples and those of the fine-tuned model on the same rows.</summary>
    public static SimulatedMethod Measure(string name, double[] wins, double[] goldWins, double[][] gold, double[][] baseline, float[][] proxy, string[][] samples)
    {
        double[] own = [.. gold.Select(g => g.Average())], gains = [.. own.Zip(baseline, (g, b) => g - b.Average())];
        var (win, winError) = Mean(wins);
        var (goldWin, goldWinError) = Mean(goldWins);
        var (mean, error) = Mean(own);
        var (gain, gainError) = Mean(gains);
        return new SimulatedMethod(
            name, 100 * win, 100 * winError, 100 * goldWin, 100 * goldWinError, mean, error, gain, gainError, proxy.Average(p => p.Average(v => (double)v)), samples.Average(s => s.Average(t => t.Length)));
    }

    /// <summary>Mean and its standard error (n - 1).</summary>
    public static (double Mean, double Error) Mean(double[] values)
    {
        double mean = values.Average();
        return (mean, values.Length < 2 ? 0 : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1) / values.Length));
    }

    /// <summary>As JSON.</summary>
    public JsonObject ToJson() => new()
    {
        ["method"] = Name,
        ["win_rate"] = Win,
        ["win_rate_standard_error"] = WinError,
        ["gold_win_rate"] = GoldWin,
        ["gold_win_rate_standard_error"] = GoldWinError,
        ["gold_score"] = Gold,
        ["gold_score_standard_error"] = GoldError,
        ["gold_gain"] = Gain,
        ["gold_gain_standard_error"] = GainError,
        ["proxy_reward"] = Proxy,
        ["mean_characters"] = Characters,
    };

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static SimulatedMethod FromJson(JsonObject json)
    {
        double Number(string field) => (double)json[field]!;
        return new SimulatedMethod(
            (string)json["method"]!, Number("win_rate"), Number("win_rate_standard_error"), Number("gold_win_rate"), Number("gold_win_rate_standard_error"), Number("gold_score"),
            Number("gold_score_standard_error"), Number("gold_gain"), Number("gold_gain_standard_error"), Number("proxy_reward"), Number("mean_characters"));
    }
}

/// <summary>A point of an over-optimisation curve.</summary>
/// <param name="N">n of best-of-n, or the step of PPO.</param>
/// <param name="Kl">KL to the fine-tuned model, in nats.</param>
/// <param name="Proxy">Mean reward by the reward model.</param>
/// <param name="Gold">Mean gold score.</param>
/// <param name="GoldError">Its standard error over instructions.</param>
internal sealed record CurvePoint(double N, double Kl, double Proxy, double Gold, double GoldError)
{
    /// <summary>As JSON.</summary>
    public JsonObject ToJson() => new() { ["n"] = N, ["kl"] = Kl, ["proxy"] = Proxy, ["gold"] = Gold, ["gold_standard_error"] = GoldError };

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static CurvePoint FromJson(JsonNode json) => new((double)json["n"]!, (double)json["kl"]!, (double)json["proxy"]!, (double)json["gold"]!, (double)json["gold_standard_error"]!);

    /// <summary>The place of the highest reward in each group of n; the first of equal ones.</summary>
    public static int[] Winners(float[] rewards, int n) => [.. Enumerable.Range(0, rewards.Length / n).Select(group =>
    {
        int best = group * n;
        for (int i = best + 1; i < (group + 1) * n; i++)
        {
            best = rewards[i] > rewards[best] ? i : best;
        }

        return best;
    })];
}
