using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Training.Data;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Cli.Verbs;

/// <summary><c>farm reward</c>: reward modeling.</summary>
internal static class RewardVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var options = new TrainingOptions(learningRate: 3e-6, epochs: 1, accumulation: 2);
        var objective = new Option<string>("--objective")
        {
            Description = "pairwise: AlpacaFarm's, on output_1, output_2 and preference; ratings: regression on score from 1 to 7; rankings: all pairs of a prompt at once.",
            HelpName = "pairwise|ratings|rankings",
            DefaultValueFactory = _ => "pairwise",
        };
        var holdOut = new HoldOutOption("Examples");
        var endOfSequence = new Option<bool>("--end-sequence-with-eos") { Description = "Ends each text with the end-of-sequence token (pairwise); AlpacaFarm's models are trained without." };
        var command = new Command("reward", "Trains a reward model on a fine-tuned model: a scalar head on the last token, in AlpacaFarm's layout.");
        options.AddTo(command);
        command.Options.Add(objective);
        holdOut.AddTo(command);
        command.Options.Add(endOfSequence);
        command.SetAction(result =>
        {
            var settings = options.Read(result);
            TrainingTask task = result.GetRequiredValue(objective) switch
            {
                "pairwise" => new PairwiseTask(),
                "ratings" => new RatingsTask(),
                "rankings" => new RankingsTask(),
                var other => throw new BadInputException($"--objective must be pairwise, ratings or rankings, not '{other}'."),
            };
            holdOut.Check(result, settings);
            var session = TrainingSession.Open(settings, ModelHead.Reward);
            var (train, eval) = holdOut.Read(result, settings, file => Examples(session, task, file, settings.MaxInstances, result.GetValue(endOfSequence)));
            session.Run(task, train, eval, cancellation);
            return ExitCodes.Done;
        });
        return command;
    }

    private static ExampleSet Examples(TrainingSession session, TrainingTask task, string source, int? most, bool endOfSequence) => task switch
    {
        RatingsTask => session.Builder.Ratings(TrainingData.Ratings(source, most)),
        RankingsTask => session.Builder.Rankings(TrainingData.Rankings(source, most, session.Prompts)),
        _ => session.Builder.Pairs(TrainingData.Preferences(source, most), endOfSequence),
    };
}
