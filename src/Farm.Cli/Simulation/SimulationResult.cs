using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Output;

namespace Farm.Cli.Simulation;

/// <summary>What a simulation found.</summary>
/// <param name="Settings">Its numbers.</param>
/// <param name="Table">A line for each method, the fine-tuned model first.</param>
/// <param name="Curves">Over-optimisation curves by name.</param>
/// <param name="Times">Seconds of each stage.</param>
internal sealed record SimulationResult(
    SimulationSettings Settings, IReadOnlyList<SimulatedMethod> Table, IReadOnlyDictionary<string, IReadOnlyList<CurvePoint>> Curves, IReadOnlyList<(string Stage, double Seconds)> Times)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>All of it as JSON.</summary>
    public JsonObject ToJson() => new()
    {
        ["settings"] = JsonNode.Parse(Settings.Stamp()),
        ["methods"] = new JsonArray([.. Table.Select(m => m.ToJson())]),
        ["curves"] = new JsonObject(Curves.Select(c => KeyValuePair.Create<string, JsonNode?>(c.Key, new JsonArray([.. c.Value.Select(p => p.ToJson())])))),
        ["stages"] = new JsonArray([.. Times.Select(t => new JsonObject { ["stage"] = t.Stage, ["seconds"] = t.Seconds })]),
        ["seconds"] = Math.Round(Times.Sum(t => t.Seconds), 2),
    };

    /// <summary>Writes simulate.json and the page.</summary>
    public void Write(string output)
    {
        Save(Path.Combine(output, "simulate.json"), JsonSerializer.SerializeToUtf8Bytes(ToJson(), Indented));
        Save(Path.Combine(output, "simulate.html"), System.Text.Encoding.UTF8.GetBytes(SimulationPage.Of(this)));
    }

    /// <summary>The table as text.</summary>
    public IEnumerable<string> Lines()
    {
        yield return $"{"method",-18} {"win rate",14} {"gold win rate",14} {"gold score",16} {"gold gain",17} {"proxy",8} {"chars",6}";
        foreach (var m in Table)
        {
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{m.Name,-18} {m.Win,7:F1} ± {m.WinError,4:F1} {m.GoldWin,7:F1} ± {m.GoldWinError,4:F1} {m.Gold,7:F3} ± {m.GoldError:F3} {m.Gain,8:+0.000;-0.000} ± {m.GainError:F3} {m.Proxy,8:F3} {m.Characters,6:F0}");
        }

        yield return string.Create(CultureInfo.InvariantCulture, $"{Times.Sum(t => t.Seconds):F0} s in all; longest: {string.Join(", ", Times.OrderByDescending(t => t.Seconds).Take(4).Select(t => $"{t.Stage} {t.Seconds:F0} s"))}");
    }

    private static void Save(string path, byte[] bytes) => WholeFile.Write(path, bytes);
}
