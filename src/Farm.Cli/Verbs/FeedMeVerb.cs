using System.CommandLine;
using Farm.Cli.Data;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Training.Methods;
using Farm.Training.Model;
using Farm.Training.Tasks;

namespace Farm.Cli.Verbs;

/// <summary><c>farm feedme</c>: fine-tuning on preferred responses.</summary>
internal static class FeedMeVerb
{
    /// <summary>Builds the verb.</summary>
    public static Command Create(CancellationToken cancellation)
    {
        var options = new TrainingOptions(learningRate: 2e-5, epochs: 3, accumulation: 16);
        var command = new Command("feedme", "Binary FeedME: goes on fine-tuning a model on the preferred response of each pair.");
        options.AddTo(command);
        command.SetAction(result =>
        {
            var settings = options.Read(result);
            var session = TrainingSession.Open(settings, ModelHead.Language);
            var train = session.Builder.Sft(FeedMe.Rows(TrainingData.Preferences(settings.Train, settings.MaxInstances)));
            var eval = settings.Eval is null ? null : session.Builder.Sft(TrainingData.Sft(settings.Eval, settings.MaxInstances));
            session.Run(new SftTask(), train, eval, cancellation);
            return ExitCodes.Done;
        });
        return command;
    }
}
