using System.CommandLine;
using Farm.Core;
using Farm.Training.Reinforcement;

namespace Farm.Cli.Options;

/// <summary>The flags of <c>farm ppo</c>.</summary>
internal sealed class PpoFlags : FeedbackOptions
{
    private readonly Option<string> _mode = new("--mode") { Description = "masked: what the field knows to be right; alpacafarm: the original, step for step.", HelpName = "masked|alpacafarm", DefaultValueFactory = _ => "masked" };
    private readonly Option<double> _learningRate = new("--learning-rate") { Description = "Base learning rate.", HelpName = "LR", DefaultValueFactory = _ => 1e-5 };
    private readonly Option<double> _klCoefficient = new("--kl-coef") { Description = "Weight of the KL penalty, or where an adaptive one starts.", HelpName = "C", DefaultValueFactory = _ => 0.0067 };
    private readonly Option<bool> _adaptiveKl = new("--adaptive-kl") { Description = "Adapts the weight of the penalty to --target-kl." };
    private readonly Option<double> _targetKl = new("--target-kl") { Description = "Wanted KL of a sequence.", HelpName = "KL", DefaultValueFactory = _ => 6 };
    private readonly Option<double> _kBeta = new("--k-beta") { Description = "Gain of the adaptive penalty.", HelpName = "K", DefaultValueFactory = _ => 0.1 };
    private readonly Option<int> _updateEpochs = new("--noptepochs") { Description = "Passes over the responses of an outer step.", HelpName = "E", DefaultValueFactory = _ => 2 };
    private readonly Option<int> _responses = new("--responses-per-prompt") { Description = "Responses to each prompt of an outer step.", HelpName = "K", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _gamma = new("--gamma") { Description = "Discount.", HelpName = "G", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _lambda = new("--lam") { Description = "Lambda of generalised advantage estimation.", HelpName = "L", DefaultValueFactory = _ => 1 };
    private readonly Option<double> _clip = new("--cliprange") { Description = "Half width of the ratio's interval.", HelpName = "C", DefaultValueFactory = _ => 0.2 };
    private readonly Option<double> _valueClip = new("--cliprange-value") { Description = "Half width of the values' interval.", HelpName = "C", DefaultValueFactory = _ => 0.2 };
    private readonly Option<double> _valueCoefficient = new("--vf-coef") { Description = "Weight of the value loss.", HelpName = "C", DefaultValueFactory = _ => 0.1 };
    private readonly Option<bool?> _whiten = new("--whiten-rewards") { Description = "Whitens rewards before advantages; yes in alpacafarm and no in masked unless given.", HelpName = "true|false" };
    private readonly Option<double?> _eosPenalty = new("--missing-eos-penalty") { Description = "Taken off the reward of a response that does not end; 1 in masked and 0 in alpacafarm unless given.", HelpName = "P" };
    private readonly Option<string?> _truncateTokens = new("--truncate-tokens") { Description = "Tokens one of which a response must hold, with commas between them.", HelpName = "TOKENS" };
    private readonly Option<int?> _truncateAfter = new("--truncate-after") { Description = "Place the token must come after.", HelpName = "N" };
    private readonly Option<double> _penalty = new("--penalty-reward-value") { Description = "Reward of a response without such a token.", HelpName = "R", DefaultValueFactory = _ => -1 };
    private readonly Option<bool> _initValue = new("--init-value-with-reward") { Description = "Starts the value network from the reward model, else from the policy.", HelpName = "true|false", DefaultValueFactory = _ => true };
    private readonly Option<string?> _eval = new("--eval") { Description = "Instructions to evaluate on.", HelpName = "FILE" };
    private readonly Option<int?> _evalSteps = new("--eval-steps") { Description = "Outer steps between evaluations; the policy of the best mean reward is kept in OUTPUT/best.", HelpName = "N" };
    private readonly Option<double> _evalTemperature = new("--eval-temperature") { Description = "Temperature of evaluation samples.", HelpName = "T", DefaultValueFactory = _ => 0.7 };
    private readonly Option<double> _evalTopP = new("--eval-top-p") { Description = "Nucleus of evaluation samples.", HelpName = "P", DefaultValueFactory = _ => 0.9 };
    private readonly Option<bool?> _zeroFirst = new("--zero-first-lr") { Description = "AlpacaFarm's schedule, whose first step has learning rate 0; yes in alpacafarm unless given.", HelpName = "true|false" };
    private readonly Option<bool?> _clampedKl = new("--clamped-kl") { Description = "Clamps the KL of a token at zero; yes in alpacafarm unless given.", HelpName = "true|false" };
    private readonly Option<bool?> _textRewards = new("--text-rewards") { Description = "Rewards decoded text tokenised again; yes in alpacafarm unless given.", HelpName = "true|false" };
    private readonly Option<bool?> _saveFirst = new("--save-before-step") { Description = "Saves and evaluates before a step's update; yes in alpacafarm unless given.", HelpName = "true|false" };

    /// <inheritdoc/>
    protected override IEnumerable<Option> Own =>
    [
        _mode, _learningRate, _klCoefficient, _adaptiveKl, _targetKl, _kBeta, _updateEpochs, _responses, _gamma, _lambda, _clip, _valueClip, _valueCoefficient, _whiten, _eosPenalty, _truncateTokens,
        _truncateAfter, _penalty, _initValue, _eval, _evalSteps, _evalTemperature, _evalTopP, _zeroFirst, _clampedKl, _textRewards, _saveFirst,
    ];

    /// <summary>Texts of --truncate-tokens; their ids are the policy's tokenizer's to know.</summary>
    public IReadOnlyList<string> TruncateTokens(ParseResult result) => result.GetValue(_truncateTokens)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Reads and checks the flags.</summary>
    public (FeedbackSettings Settings, PpoOptions Options) Read(ParseResult result)
    {
        string? eval = result.GetValue(_eval);
        var settings = ReadShared(result, eval, result.GetValue(_initValue));
        if (result.GetValue(_evalSteps) is not null && eval is null)
        {
            throw new BadInputException("--eval-steps needs --eval.");
        }

        var mode = result.GetRequiredValue(_mode) switch
        {
            "masked" => PpoMode.Masked,
            "alpacafarm" => PpoMode.AlpacaFarm,
            var other => throw new BadInputException($"--mode must be masked or alpacafarm, not '{other}'."),
        };
        var quirks = PpoQuirks.Of(mode);
        var options = new PpoOptions
        {
            OutputFolder = settings.Output,
            Mode = mode,
            Quirks = quirks with
            {
                ZeroFirstLearningRate = result.GetValue(_zeroFirst) ?? quirks.ZeroFirstLearningRate,
                ClampedKl = result.GetValue(_clampedKl) ?? quirks.ClampedKl,
                TextRewards = result.GetValue(_textRewards) ?? quirks.TextRewards,
                SavesBeforeStep = result.GetValue(_saveFirst) ?? quirks.SavesBeforeStep,
            },
            RolloutBatchSize = result.GetValue(RolloutBatchSize),
            RolloutMicroBatch = result.GetValue(RolloutPerDevice),
            ResponsesPerPrompt = result.GetValue(_responses),
            StepBatchSize = result.GetValue(StepBatchSize),
            StepMicroBatch = result.GetValue(StepPerDevice),
            TotalEpochs = result.GetValue(TotalEpochs),
            MaxSteps = result.GetValue(MaxSteps),
            UpdateEpochs = result.GetValue(_updateEpochs),
            LearningRate = result.GetValue(_learningRate),
            WarmupSteps = result.GetValue(WarmupSteps),
            AdamW = AdamW(result),
            MaxGradNorm = result.GetValue(MaxGradNorm),
            KlCoefficient = result.GetValue(_klCoefficient),
            AdaptiveKl = result.GetValue(_adaptiveKl),
            TargetKl = result.GetValue(_targetKl),
            KBeta = result.GetValue(_kBeta),
            Gamma = result.GetValue(_gamma),
            GaeLambda = result.GetValue(_lambda),
            ClipRange = result.GetValue(_clip),
            ClipRangeValue = result.GetValue(_valueClip),
            ValueCoefficient = result.GetValue(_valueCoefficient),
            WhitenRewards = result.GetValue(_whiten),
            Temperature = result.GetValue(Temperature),
            QueryLength = result.GetValue(QueryLength),
            ResponseLength = result.GetValue(ResponseLength),
            MissingEosPenalty = result.GetValue(_eosPenalty),
            TruncateAfter = result.GetValue(_truncateAfter),
            PenaltyRewardValue = result.GetValue(_penalty),
            Seed = result.GetValue(Seed),
            EvalSteps = result.GetValue(_evalSteps),
            EvalTemperature = result.GetValue(_evalTemperature),
            EvalTopP = result.GetValue(_evalTopP),
            SaveSteps = result.GetValue(SaveSteps),
            SaveTotalLimit = result.GetValue(SaveTotalLimit),
            Resume = result.GetValue(Resume),
        };
        return (settings, options);
    }
}
