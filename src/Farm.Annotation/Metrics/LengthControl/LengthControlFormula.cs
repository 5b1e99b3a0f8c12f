namespace Farm.Annotation.Metrics.LengthControl;

/// <summary>Which features and which rows the length-controlled GLM has.</summary>
public enum LengthControlFormula
{
    /// <summary>Length, difficulty and model, with the gamed baselines' rows: AlpacaEval's published metric.</summary>
    V1,

    /// <summary>Length, difficulty and model, without the gamed baselines.</summary>
    NoRegularization,

    /// <summary>Length and model alone: needs no file besides the annotations.</summary>
    Minimal,
}

/// <summary>AlpacaEval's names of the formulas.</summary>
public static class LengthControlFormulas
{
    /// <summary>The name, as it stands in the paths of weight files.</summary>
    public static string Name(this LengthControlFormula formula) => formula switch
    {
        LengthControlFormula.V1 => "length_controlled_v1",
        LengthControlFormula.NoRegularization => "length_controlled_noreg",
        _ => "length_controlled_minimal",
    };
}
