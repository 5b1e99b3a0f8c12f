using Farm.Core;

namespace Farm.Training.Model;

/// <summary>Low-rank adapters (Hu et al., "LoRA", 2021): y = W x + (alpha / rank) B A dropout(x), with W frozen.</summary>
public sealed record LoraOptions
{
    /// <summary>Target name that stands for every linear of the decoder layers.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>Width of the adapters.</summary>
    public required int Rank { get; init; }

    /// <summary>Scale numerator; twice the rank is a usual choice.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>Share of the adapter's inputs that are dropped in training, the rest scaled up.</summary>
    public double Dropout { get; init; }

    /// <summary>
    /// Modules that get adapters, each the end of a module's path at a dot: <c>q_proj</c>, <c>mlp.down_proj</c>, <c>layers.3.self_attn.q_proj</c>,
    /// or <see cref="AllLinear"/>.
    /// </summary>
    public IReadOnlyList<string> TargetModules { get; init; } = ["q_proj", "v_proj"];

    /// <summary>Factor of an adapter's product.</summary>
    public float Scale => (float)(Alpha / Rank);

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="BadInputException">One is out of range.</exception>
    public void Validate()
    {
        if (Rank is < 1 or > 65536)
        {
            throw new BadInputException($"--lora-rank must be from 1 to 65536, not {Rank}.");
        }

        if (!double.IsFinite(Alpha) || Alpha <= 0)
        {
            throw new BadInputException(FormattableString.Invariant($"--lora-alpha must be over 0, not {Alpha}."));
        }

        if (!(Dropout is >= 0 and < 1))
        {
            throw new BadInputException(FormattableString.Invariant($"--lora-dropout must be at least 0 and below 1, not {Dropout}."));
        }

        if (TargetModules.Count == 0)
        {
            throw new BadInputException("--lora-target-modules names no module.");
        }
    }

    /// <summary>Whether a module (its path without <c>.weight</c>) gets an adapter.</summary>
    public bool Matches(string module) => TargetModules.Any(target => Matches(target, module));

    /// <summary>Throws if one of the targets matches none of the modules.</summary>
    /// <exception cref="BadInputException">The message names the target.</exception>
    public void RequireMatches(IReadOnlyCollection<string> modules)
    {
        ArgumentNullException.ThrowIfNull(modules);
        if (TargetModules.FirstOrDefault(target => !modules.Any(module => Matches(target, module))) is { } lost)
        {
            throw new BadInputException(
                $"--lora-target-modules: '{lost}' matches no linear module of the model; there are {string.Join(", ", modules.Select(m => m[(m.LastIndexOf('.') + 1)..]).Distinct())}.");
        }
    }

    private static bool Matches(string target, string module) =>
        target == AllLinear || module == target || module.EndsWith("." + target, StringComparison.Ordinal);
}
