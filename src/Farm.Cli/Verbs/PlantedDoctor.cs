using Farm.Cli.Kernels;
using Farm.Cli.Output;
using Spectre.Console;

namespace Farm.Cli.Verbs;

/// <summary><c>farm doctor --device cuda-sim --planted</c>: mistakes planted in the shipped kernels, and the name by which the simulator's checker finds each.</summary>
internal static class PlantedDoctor
{
    /// <summary>Runs every mistake; one that is not found, or under another name, is a failure.</summary>
    public static int Run(bool json, CancellationToken cancellation)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("planted").AddColumn("kernel").AddColumn("caught as").AddColumn("where");
        bool all = true;
        foreach (var bug in PlantedBug.All())
        {
            cancellation.ThrowIfCancellationRequested();
            string report = bug.Run(), name = report.Split(' ')[0], where = report.Split('\n')[0];
            bool caught = bug.Names.Contains(name);
            all &= caught;
            if (json)
            {
                StandardOutput.WriteLine(w =>
                {
                    w.WriteStartObject();
                    w.WriteString("planted", bug.Mistake);
                    w.WriteString("module", bug.Module);
                    w.WriteBoolean("caught", caught);
                    w.WriteString("name", name);
                    w.WriteString("report", where);
                    w.WriteEndObject();
                });
                continue;
            }

            table.AddRow(new Text(bug.Mistake), new Text(bug.Module), new Text(caught ? name : name.Length > 0 ? $"{name}, NOT {string.Join(" or ", bug.Names)}" : "NOT CAUGHT"), new Text(Place(where)));
        }

        if (!json)
        {
            AnsiConsole.Write(table);
            Console.Out.WriteLine(all ? "Every planted mistake is caught by its name." : "Some planted mistakes are not caught.");
        }

        return all ? ExitCodes.Done : ExitCodes.Failed;
    }

    // "fragment in kernel k at f.cu:1:2, CTA (0,0,0), thread (0,0,0) [warp 0, lane 0]: ..." from the place on, without what happened.
    private static string Place(string report)
    {
        int begin = report.IndexOf(" at ", StringComparison.Ordinal), end = report.IndexOf("]:", StringComparison.Ordinal);
        return begin < 0 || end < begin ? report : report[(begin + 4)..(end + 1)];
    }
}
