namespace Farm.Annotation.UltraFeedback;

/// <summary>What completions are rated on, each by itself (Cui et al., "UltraFeedback", 2023).</summary>
public enum Aspect
{
    /// <summary>Does what is asked.</summary>
    InstructionFollowing,

    /// <summary>Is as sure as it may be.</summary>
    Honesty,

    /// <summary>Keeps to the facts.</summary>
    Truthfulness,

    /// <summary>Helps the one who asked.</summary>
    Helpfulness,
}

/// <summary>Facts about aspects.</summary>
public static class Aspects
{
    /// <summary>All, in the order in which they are rated.</summary>
    public static readonly IReadOnlyList<Aspect> All = [Aspect.InstructionFollowing, Aspect.Honesty, Aspect.Truthfulness, Aspect.Helpfulness];

    /// <summary>The name in files.</summary>
    public static string Name(this Aspect aspect) => aspect switch
    {
        Aspect.InstructionFollowing => "instruction_following",
        Aspect.Honesty => "honesty",
        Aspect.Truthfulness => "truthfulness",
        _ => "helpfulness",
    };

    /// <summary>The aspect of a name, null where there is none.</summary>
    public static Aspect? Parse(string name) => All.Select(a => (Aspect?)a).FirstOrDefault(a => a!.Value.Name() == name);

    /// <summary>True where the judge also names types, of fault or of help, and must give a number: truthfulness and helpfulness.</summary>
    public static bool HasTypes(this Aspect aspect) => aspect is Aspect.Truthfulness or Aspect.Helpfulness;
}
