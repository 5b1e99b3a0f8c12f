using System.CommandLine;
using System.Text.Json.Nodes;
using Farm.Core;

namespace Farm.Cli.Options;

/// <summary>How samples are drawn and how many.</summary>
internal sealed record SamplingSettings(
    SamplingParameters Parameters, double Temperature, int Samples, int MaxNewTokens, ulong Seed, IReadOnlyList<string> Stop, int? BatchSequences)
{
    /// <summary>AlpacaFarm's description of the sampling, in Python's formatting.</summary>
    public string SampleMode => $"temperature={PythonFormat.Float(Temperature)},max_new_tokens={MaxNewTokens},seed={Seed}";

    /// <summary>Puts all that decides the samples into a fingerprint; the width of the batch does not.</summary>
    public void AddTo(JsonObject fingerprint)
    {
        fingerprint["n"] = Samples;
        fingerprint["max-new-tokens"] = MaxNewTokens;
        fingerprint["temperature"] = Parameters.Temperature;
        fingerprint["top-k"] = Parameters.TopK;
        fingerprint["top-p"] = Parameters.TopP;
        fingerprint["min-p"] = Parameters.MinP;
        fingerprint["repetition-penalty"] = Parameters.RepetitionPenalty;
        fingerprint["stop"] = new JsonArray([.. Stop.Select(s => JsonValue.Create(s))]);
        fingerprint["seed"] = Seed;
    }
}

/// <summary>The flags of sampling.</summary>
internal sealed class SamplingOptions(int defaultSamples)
{
    private readonly Option<int> _samples = new("-n", "--num-return-sequences")
    {
        Description = "Samples of each prompt.",
        HelpName = "N",
        DefaultValueFactory = _ => defaultSamples,
    };

    private readonly Option<int> _maxNewTokens = new("--max-new-tokens")
    {
        Description = "Longest response in tokens.",
        HelpName = "T",
        DefaultValueFactory = _ => 300,
    };

    private readonly Option<double> _temperature = new("--temperature")
    {
        Description = "Divides the logits; 0 takes the most probable token.",
        HelpName = "X",
        DefaultValueFactory = _ => 1.0,
    };

    private readonly Option<int> _topK = new("--top-k") { Description = "Draws among the K most probable tokens; 0 among all.", HelpName = "K" };

    private readonly Option<double> _topP = new("--top-p")
    {
        Description = "Draws among the most probable tokens that hold this mass (AlpacaFarm's scripts use 0.9).",
        HelpName = "P",
        DefaultValueFactory = _ => 1.0,
    };

    private readonly Option<double> _minP = new("--min-p") { Description = "Draws among tokens at least this fraction as probable as the best.", HelpName = "P" };

    private readonly Option<double> _repetitionPenalty = new("--repetition-penalty")
    {
        Description = "Makes tokens that occurred less probable; 1 changes nothing.",
        HelpName = "X",
        DefaultValueFactory = _ => 1.0,
    };

    private readonly Option<string[]> _stop = new("--stop") { Description = "Ends a response before this text; may be repeated.", HelpName = "TEXT" };

    private readonly Option<long> _seed = new("--seed") { Description = "Seed of every draw.", HelpName = "S" };

    private readonly Option<int?> _batchSequences = new("--batch-sequences")
    {
        Description = "Samples in flight at once; chosen from memory unless given. It changes no result.",
        HelpName = "B",
    };

    /// <summary>Adds the flags to a verb.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in new Option[]
            { _samples, _maxNewTokens, _temperature, _topK, _topP, _minP, _repetitionPenalty, _stop, _seed, _batchSequences })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Reads and checks the flags.</summary>
    public SamplingSettings Read(ParseResult result)
    {
        double temperature = result.GetRequiredValue(_temperature);
        var parameters = new SamplingParameters
        {
            Temperature = (float)temperature,
            TopK = result.GetValue(_topK),
            TopP = (float)result.GetRequiredValue(_topP),
            MinP = (float)result.GetValue(_minP),
            RepetitionPenalty = (float)result.GetRequiredValue(_repetitionPenalty),
        };
        parameters.Validate();
        int samples = AtLeastOne("-n", result.GetRequiredValue(_samples));
        int maxNewTokens = AtLeastOne("--max-new-tokens", result.GetRequiredValue(_maxNewTokens));
        int? batch = result.GetValue(_batchSequences) is { } given ? AtLeastOne("--batch-sequences", given) : null;
        long seed = result.GetValue(_seed);
        if (seed < 0)
        {
            throw new BadInputException($"--seed must be at least 0, not {seed}.");
        }

        string[] stop = result.GetValue(_stop) ?? [];
        return stop.Contains(string.Empty)
            ? throw new BadInputException("--stop must not be empty.")
            : new SamplingSettings(parameters, temperature, samples, maxNewTokens, (ulong)seed, stop, batch);
    }

    private static int AtLeastOne(string name, int value) =>
        value >= 1 ? value : throw new BadInputException($"{name} must be at least 1, not {value}.");
}
