using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Cli.Verbs;

/// <summary><c>farm reward-condition</c>: fine-tuning on both responses of pairs behind control tokens.</summary>
internal static class RewardConditionVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var options = new TrainingOptions(learningRate: 2e-5, epochs: 3, accumulation: 16);
        var command = new Command("reward-condition",
            $"Binary reward conditioning: fine-tunes on the preferred response behind {RewardConditioning.Positive} and on the other behind {RewardConditioning.Negative}. Prompts of the trained model begin with {RewardConditioning.Positive}.");
        options.AddTo(command);
        command.SetAction(result =>
        {
            var settings = options.Read(result);
            var session = TrainingSession.Open(settings, ModelHead.Language, RewardConditioning.Tokens);
            var train = session.Builder.Sft(RewardConditioning.Rows(TrainingData.Preferences(settings.Train, settings.MaxInstances)));
            var eval = settings.Eval is null
                ? null
                : session.Builder.Sft(TrainingData.Sft(settings.Eval, settings.MaxInstances).Select(r => r with { ControlToken = RewardConditioning.Positive }));
            session.Run(new SftTask(), train, eval, cancellation);
            return ExitCodes.Done;
        });
        return command;
    }
}
