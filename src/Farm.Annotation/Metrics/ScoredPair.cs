using Farm.Annotation.Data;

namespace Farm.Annotation.Metrics;

/// <summary>A row of an annotation file, as far as metrics need it.</summary>
public sealed record ScoredPair
{
    /// <summary>Where the row stands, for messages: the file and the row's number from 1.</summary>
    public required string Place { get; init; }

    /// <summary>Its position in the file, from 0.</summary>
    public int Position { get; init; }

    /// <summary>The preference: 1 to 2, the old draw 0 made 1.5; null where the pair has none.</summary>
    public double? Preference { get; init; }

    /// <summary>The instruction.</summary>
    public string? Instruction { get; init; }

    /// <summary>The input, where the file has one.</summary>
    public string? Input { get; init; }

    /// <summary>The reference's output.</summary>
    public string? Output1 { get; init; }

    /// <summary>The model's output.</summary>
    public string? Output2 { get; init; }

    /// <summary>The reference's name.</summary>
    public string? Generator1 { get; init; }

    /// <summary>The model's name.</summary>
    public string? Generator2 { get; init; }

    /// <summary>The judge's name.</summary>
    public string? Annotator { get; init; }

    /// <summary>The part of the data that the row belongs to.</summary>
    public string? Datasplit { get; init; }

    /// <summary>Which of several votes on the same pair this is, where the file says.</summary>
    public int? Index { get; init; }

    /// <summary>What the annotation cost, in dollars.</summary>
    public double? Price { get; init; }

    /// <summary>How long the annotation took, in seconds.</summary>
    public double? Seconds { get; init; }

    /// <summary>The whole row.</summary>
    public JsonRow Row { get; init; } = new();

    /// <summary>What makes two rows the same pair.</summary>
    public (string?, string?, string?, string?) Key => (Instruction, Input, Output1, Output2);
}
