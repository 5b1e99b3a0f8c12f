using System.CommandLine;
using Farm.Annotation.UltraFeedback;
using Farm.Cli.Options;
using Farm.Cli.Output;
using Farm.Core;

namespace Farm.Cli.Verbs;

/// <summary><c>farm ultrafeedback</c>: ratings on four aspects, critiques, the correction of scores, and preference pairs.</summary>
internal static class UltraFeedbackVerb
{
    private const string DefaultModel = "gpt-4";

    /// <summary>Builds the verb with its commands.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var command = new Command("ultrafeedback", "UltraFeedback's annotations: aspects, critiques, and preference pairs made of them.");
        command.Subcommands.Add(Rate("rate", cancellation));
        command.Subcommands.Add(Critique(cancellation));
        command.Subcommands.Add(Fix(cancellation));
        command.Subcommands.Add(Binarize());
        return command;
    }

    /// <summary>The command that rates aspects, under a name of its caller's.</summary>
    public static Command Rate(string name, CancellationToken cancellation)
    {
        var shared = new Shared();
        var aspects = new Option<string[]>("--aspects") { Description = "Aspects to rate; all four unless given.", HelpName = "ASPECT", AllowMultipleArgumentsPerToken = true };
        var rounds = new Option<int>("--rounds") { Description = "Orders in which completions are shown, one request each.", HelpName = "N", DefaultValueFactory = _ => 1 };
        var seed = new Option<int>("--seed") { Description = "Decides the orders.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var command = new Command(name, "Rates four completions of each instruction on UltraFeedback's aspects.");
        shared.AddTo(command);
        command.Options.Add(aspects);
        command.Options.Add(rounds);
        command.Options.Add(seed);
        command.SetAction(result =>
        {
            string[] asked = result.GetValue(aspects) ?? [];
            int showings = result.GetValue(rounds) is var n and >= 1 and <= 24 ? n : throw new BadInputException("--rounds must be from 1 to 24, the orders of four texts.");
            var options = shared.Read(result) with
            {
                Aspects = asked.Length == 0 ? Aspects.All : [.. asked.Select(a => Aspects.Parse(a) ?? throw new BadInputException($"There is no aspect '{a}'; there are {string.Join(", ", Aspects.All.Select(x => x.Name()))}."))],
                Rounds = showings,
                Seed = result.GetValue(seed),
            };
            return shared.Run(result, options, "Rating", r => r.Count * options.Aspects.Count, (judge, records, progress) => new UltraFeedbackAnnotator(judge, options).AnnotateAsync(records, progress, cancellation), cancellation);
        });
        return command;
    }

    private static Command Critique(CancellationToken cancellation)
    {
        var shared = new Shared();
        var command = new Command("critique", "Writes a critique and an overall score from 1 to 10 for each completion.");
        shared.AddTo(command);
        command.SetAction(result =>
        {
            var options = shared.Read(result);
            return shared.Run(result, options, "Critique", r => r.Sum(x => x.Completions.Count), (judge, records, progress) => new CritiqueAnnotator(judge, options).CritiqueAsync(records, progress, cancellation), cancellation);
        });
        return command;
    }

    private static Command Fix(CancellationToken cancellation)
    {
        var shared = new Shared();
        var offline = new Option<bool>("--offline") { Description = "Sets right what can be without asking the judge; scores in doubt stay." };
        var command = new Command("fix", "The correction of December 2023: overall scores of 10 that the ratings contradict.");
        shared.AddTo(command);
        command.Options.Add(offline);
        command.SetAction(result =>
        {
            if (!result.GetValue(offline))
            {
                var options = shared.Read(result);
                return shared.Run(result, options, "Correcting", r => r.Sum(x => x.Completions.Count), async (judge, records, progress) =>
                    (await new CritiqueAnnotator(judge, options).FixAsync(records, progress, cancellation).ConfigureAwait(false)).Failures, cancellation);
            }

            var all = UltraFeedbackFile.Read(shared.Input(result));
            var actions = all.SelectMany(r => r.Completions).Select(OverallScoreFix.Apply).CountBy(a => a).ToDictionary();
            UltraFeedbackFile.Write(shared.Output(result), all);
            AskingRun.Report(shared.IsJson(result), shared.Output(result), null, [.. Enum.GetValues<ScoreFix>().Where(f => f != ScoreFix.None).Select(f => (Name(f), actions.GetValueOrDefault(f)))], []);
            return ExitCodes.Done;
        });
        return command;
    }

    private static string Name(ScoreFix fix) => fix switch
    {
        ScoreFix.Flipped => "flipped",
        ScoreFix.AskAgain => "in doubt",
        _ => "kept",
    };

    private static Command Binarize()
    {
        var input = new Option<string>("--input") { Description = "UltraFeedback records.", HelpName = "FILE", Required = true };
        var output = new Option<string>("--output") { Description = "Preference pairs as rows of AlpacaFarm: output_1, output_2, preference.", HelpName = "FILE", Required = true };
        var score = new Option<string>("--score") { Description = "mean (of the aspects), overall, or an aspect.", HelpName = "SCORE", DefaultValueFactory = _ => "mean" };
        var pairing = new Option<string>("--pairing") { Description = "best-vs-random, best-vs-worst, best-vs-each or all.", HelpName = "PAIRING", DefaultValueFactory = _ => "best-vs-random" };
        var keepTies = new Option<bool>("--keep-ties") { Description = "Keeps pairs of equal scores." };
        var seed = new Option<int>("--seed") { Description = "Decides the random other.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var json = new Option<bool>("--json") { Description = "Prints what was done as JSON." };
        var command = new Command("binarize", "Makes preference pairs of the scores.");
        foreach (Option option in new Option[] { input, output, score, pairing, keepTies, seed, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(result =>
        {
            string by = result.GetValue(score)!, file = result.GetRequiredValue(output);
            var aspect = Aspects.Parse(by);
            var rule = new Binarization
            {
                Source = by == "mean" ? ScoreSource.MeanAspect : by == "overall" ? ScoreSource.Overall : aspect is not null ? ScoreSource.Aspect
                    : throw new BadInputException($"--score must be mean, overall or an aspect ({string.Join(", ", Aspects.All.Select(a => a.Name()))}), not '{by}'."),
                Aspect = aspect ?? Aspect.Helpfulness,
                Pairing = result.GetValue(pairing) switch
                {
                    "best-vs-random" => Pairing.BestVsRandom,
                    "best-vs-worst" => Pairing.BestVsWorst,
                    "best-vs-each" => Pairing.BestVsEach,
                    "all" => Pairing.AllPairs,
                    var other => throw new BadInputException($"--pairing must be best-vs-random, best-vs-worst, best-vs-each or all, not '{other}'."),
                },
                DropTies = !result.GetValue(keepTies),
                Seed = result.GetValue(seed),
            };
            var records = UltraFeedbackFile.Read(result.GetRequiredValue(input));
            var pairs = records.SelectMany(rule.Derive).ToList();
            if (pairs.Count == 0)
            {
                throw new BadInputException($"{result.GetRequiredValue(input)} gives no pair: no record has two completions with different scores.");
            }

            PreferencePairs.Write(file, pairs);
            AskingRun.Report(result.GetValue(json), file, null, [("pairs", pairs.Count), ("records without a pair", records.Count - pairs.Select(p => p.Record).Distinct().Count())], []);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The flags of the commands that ask a judge.</summary>
    private sealed class Shared
    {
        private readonly Option<string> _input = new("--input") { Description = "UltraFeedback records: instruction, completions and more.", HelpName = "FILE", Required = true };
        private readonly Option<string> _output = new("--output") { Description = "The records with what was added.", HelpName = "FILE", Required = true };
        private readonly Option<string?> _templates = new("--templates") { Description = "Folder with templates of your own.", HelpName = "DIR" };
        private readonly Option<int> _attempts = new("--attempts") { Description = "How often a request is sent until its reply can be read.", HelpName = "N", DefaultValueFactory = _ => 10 };
        private readonly Option<bool> _overwrite = new("--overwrite") { Description = "Asks again for what is there." };
        private readonly Option<bool> _json = new("--json") { Description = "Prints what was done as JSON." };
        private readonly ModelServerOptions _server = new("--judge-model", DefaultModel, 16);

        public void AddTo(Command command)
        {
            command.Options.Add(_input);
            command.Options.Add(_output);
            command.Options.Add(_templates);
            command.Options.Add(_attempts);
            command.Options.Add(_overwrite);
            _server.AddTo(command);
            command.Options.Add(_json);
        }

        public string Input(ParseResult result) => result.GetRequiredValue(_input);

        public string Output(ParseResult result) => result.GetRequiredValue(_output);

        public bool IsJson(ParseResult result) => result.GetValue(_json);

        public UltraFeedbackOptions Read(ParseResult result) => new()
        {
            Templates = result.GetValue(_templates) is { } folder ? UltraFeedbackTemplates.Load(folder) : UltraFeedbackTemplates.BuiltIn,
            Attempts = result.GetValue(_attempts) is var n and >= 1 ? n : throw new BadInputException("--attempts must be at least 1."),
            MaxConcurrency = _server.MaxConcurrency(result),
            Overwrite = result.GetValue(_overwrite),
        };

        public int Run(
            ParseResult result,
            UltraFeedbackOptions options,
            string title,
            Func<IReadOnlyList<UltraFeedbackRecord>, int> steps,
            Func<Farm.Annotation.Replies.Respondent, IReadOnlyList<UltraFeedbackRecord>, Action, Task<IReadOnlyList<UltraFeedbackFailure>>> work,
            CancellationToken cancellation)
        {
            string output = Output(result);
            var records = UltraFeedbackFile.Read(Input(result));
            OutputFile.Check(output);
            using var server = _server.Open(result, output);
            var failures = AskingRun.Run(title, steps(records), server, progress => work(server.Respondent, records, progress), cancellation);
            UltraFeedbackFile.Write(output, records);
            AskingRun.Report(IsJson(result), output, server, [("records", records.Count), ("failed", failures.Count)], [.. failures.Select(f => ($"{f.Place}, {f.What}", f.Reason))]);
            return ExitCodes.Done;
        }
    }
}
