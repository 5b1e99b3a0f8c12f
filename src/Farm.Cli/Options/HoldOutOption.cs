using System.CommandLine;
using Farm.Core;
using Farm.Training.Data;

namespace Farm.Cli.Options;

/// <summary>The flag <c>--eval-size</c>: examples of <c>--train</c> that are kept for evaluation where no <c>--eval</c> is given.</summary>
/// <param name="items">What the examples are called, with a capital letter.</param>
internal sealed class HoldOutOption(string items)
{
    private const int Default = 500;
    private readonly Option<int?> _size = new("--eval-size")
    {
        Description = $"{items} held out of --train for evaluation, by AlpacaFarm's seeded permutation; {Default} unless given, none with --eval.",
        HelpName = "N",
    };

    /// <summary>Adds the flag to a verb.</summary>
    public void AddTo(Command command) => command.Options.Add(_size);

    /// <summary>Checks the flag.</summary>
    /// <exception cref="BadInputException">It contradicts <c>--eval</c>.</exception>
    public void Check(ParseResult result, TrainingSettings settings)
    {
        if (settings.Eval is not null && result.GetValue(_size) is > 0)
        {
            throw new BadInputException("Give either --eval or --eval-size, not both.");
        }
    }

    /// <summary>What to train on, and what to evaluate on: of <c>--eval</c>, or held out.</summary>
    /// <exception cref="BadInputException">Nothing would be left to train on.</exception>
    public (ExampleSet Train, ExampleSet Eval) Read(ParseResult result, TrainingSettings settings, Func<string, ExampleSet> read)
    {
        var all = read(settings.Train);
        return settings.Eval is { } file ? (all, read(file)) : all.HoldOut(result.GetValue(_size) ?? Default, settings.Trainer.Seed);
    }
}
