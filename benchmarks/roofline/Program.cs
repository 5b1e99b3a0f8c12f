using System.CommandLine;
using Farm.Core;
using Farm.Roofline;

var counts = new Option<string>("--counts") { Description = "The file of counts.", HelpName = "FILE", DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "counts.json") };
var json = new Option<bool>("--json") { Description = "Prints one JSON object a line instead of Markdown." };
var gap = new Option<double>("--launch-microseconds") { Description = "Assumed gap after each kernel.", HelpName = "US", DefaultValueFactory = _ => Projection.DefaultLaunchSeconds * 1e6 };
var root = new RootCommand($"Farm's kernels on GPUs by roofline ({Projection.Mark}): prints the table from the counts beside the program; 'count' simulates them anew.");
foreach (Option option in new Option[] { counts, json, gap })
{
    root.Options.Add(option);
}

root.SetAction(result => Run(() =>
{
    double seconds = result.GetValue(gap) is >= 0 and < 1e6 and var us ? us * 1e-6 : throw new BadInputException($"--launch-microseconds must be at least 0, not {result.GetValue(gap)}.");
    var report = new Report(Files.Chips(AppContext.BaseDirectory), Files.Published(AppContext.BaseDirectory), Files.Counts(result.GetRequiredValue(counts)), seconds);
    Console.Out.Write(result.GetValue(json) ? report.Json() : report.Markdown());
}));

var models = new Option<string[]>("--model") { Description = "Models to count.", HelpName = "NAME", DefaultValueFactory = _ => Workload.Models };
var output = new Option<string>("--output") { Description = "Where the counts go; passes of other models in it are kept.", HelpName = "FILE", Required = true };
var count = new Command("count", "Runs the kernels on the driver simulator; minutes.");
count.Options.Add(models);
count.Options.Add(output);
count.SetAction(result => Run(() => Workload.Count(result.GetRequiredValue(models), result.GetRequiredValue(output))));
root.Subcommands.Add(count);
return root.Parse(args).Invoke();

static int Run(Action action)
{
    try
    {
        action();
        return 0;
    }
    catch (BadInputException e)
    {
        Console.Error.WriteLine(e.Message);
        return 2;
    }
}
