using System.CommandLine;
using Farm.Core;
using Farm.Training.Methods;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Options;

/// <summary>The flags of <c>farm quark</c>.</summary>
internal sealed class QuarkFlags : FeedbackOptions
{
    private readonly Option<double> _learningRate = new("--learning-rate") { Description = "Base learning rate.", HelpName = "LR", DefaultValueFactory = _ => 3e-6 };
    private readonly Option<double> _klCoefficient = new("--kl-coef") { Description = "Weight of the exact KL to the reference.", HelpName = "C", DefaultValueFactory = _ => 0.05 };
    private readonly Option<double> _entropy = new("--entropy-coef") { Description = "Weight of the entropy.", HelpName = "C" };
    private readonly Option<int> _tokens = new("--num-reward-tokens") { Description = "Quantiles.", HelpName = "K", DefaultValueFactory = _ => 4 };
    private readonly Option<bool> _best = new("--train-on-best-quantile") { Description = "Trains on the best quantile alone, without reward tokens.", HelpName = "true|false", DefaultValueFactory = _ => true };
    private readonly Option<bool> _clear = new("--clear-data-pool-on-each-rollout") { Description = "Forgets older samples at each step.", HelpName = "true|false", DefaultValueFactory = _ => true };
    private readonly Option<int> _updates = new("--num-gradient-steps-per-step") { Description = "Updates of an outer step.", HelpName = "N", DefaultValueFactory = _ => 1 };

    /// <inheritdoc/>
    protected override IEnumerable<Option> Own => [_learningRate, _klCoefficient, _entropy, _tokens, _best, _clear, _updates];

    /// <summary>Reads and checks the flags.</summary>
    public (FeedbackSettings Settings, QuarkOptions Options) Read(ParseResult result)
    {
        var settings = ReadShared(result, eval: null, initValueWithReward: false);
        if (settings.Layout != PpoLayout.Full)
        {
            throw new BadInputException("--layout lora: Quark adds rows to the embedding, which adapters cannot train; use --layout full.");
        }

        return (settings, new QuarkOptions
        {
            OutputFolder = settings.Output,
            RolloutBatchSize = result.GetValue(RolloutBatchSize),
            RolloutMicroBatch = result.GetValue(RolloutPerDevice),
            StepBatchSize = result.GetValue(StepBatchSize),
            StepMicroBatch = result.GetValue(StepPerDevice),
            TotalEpochs = result.GetValue(TotalEpochs),
            MaxSteps = result.GetValue(MaxSteps),
            LearningRate = result.GetValue(_learningRate),
            WarmupSteps = result.GetValue(WarmupSteps),
            AdamW = AdamW(result),
            MaxGradNorm = result.GetValue(MaxGradNorm),
            KlCoefficient = result.GetValue(_klCoefficient),
            EntropyCoefficient = result.GetValue(_entropy),
            RewardTokens = result.GetValue(_tokens),
            BestQuantileOnly = result.GetValue(_best),
            ClearPool = result.GetValue(_clear),
            GradientSteps = result.GetValue(_updates),
            Temperature = result.GetValue(Temperature),
            QueryLength = result.GetValue(QueryLength),
            ResponseLength = result.GetValue(ResponseLength),
            Seed = result.GetValue(Seed),
            SaveSteps = result.GetValue(SaveSteps),
            SaveTotalLimit = result.GetValue(SaveTotalLimit),
            Resume = result.GetValue(Resume),
        });
    }
}
