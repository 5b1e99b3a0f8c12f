namespace Farm.Annotation.Replies;

/// <summary>How a reply is drawn; what is null is left to the server.</summary>
public sealed record Decoding
{
    /// <summary>The longest reply in tokens.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>The temperature.</summary>
    public double? Temperature { get; init; }

    /// <summary>The probability mass that is drawn from.</summary>
    public double? TopP { get; init; }

    /// <summary>The penalty on tokens that were used often.</summary>
    public double? FrequencyPenalty { get; init; }

    /// <summary>The penalty on tokens that were used at all.</summary>
    public double? PresencePenalty { get; init; }

    /// <summary>Texts that end a reply.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];
}
