using Farm.JudgeBench;

// dotnet run -c Release --project benchmarks/Farm.JudgeBench -- throughput [PAIRS] [LATENCY_MS] [IN_FLIGHT]
// dotnet run -c Release --project benchmarks/Farm.JudgeBench -- chaos [PAIRS]
return args switch
{
    ["throughput", .. var rest] => await Throughput.RunAsync(Number(rest, 0, 10_000), Number(rest, 1, 0), Number(rest, 2, 64)),
    ["chaos", .. var rest] => await Chaos.RunAsync(Number(rest, 0, 10_000)),
    ["annotate", var url, var folder, var pairs, var inFlight] => await Client.RunAsync(url, folder, Whole(pairs), Whole(inFlight)),
    _ => Usage(),
};

static int Number(string[] arguments, int at, int otherwise) => at < arguments.Length ? Whole(arguments[at]) : otherwise;

static int Usage()
{
    Console.Error.WriteLine("throughput [PAIRS] [LATENCY_MS] [IN_FLIGHT] | chaos [PAIRS]");
    return 2;
}

static int Whole(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
