namespace Farm.Annotation.Completions;

/// <summary>OpenAI's vocabularies.</summary>
public enum TokenEncoding
{
    /// <summary>GPT-3 before the second Davinci.</summary>
    R50kBase,

    /// <summary>text-davinci-002 and -003.</summary>
    P50kBase,

    /// <summary>GPT-3.5 turbo and GPT-4.</summary>
    Cl100kBase,

    /// <summary>GPT-4o and later.</summary>
    O200kBase,
}

/// <summary>Which vocabulary a model has.</summary>
public static class TokenEncodings
{
    // The first beginning that fits counts.
    private static readonly (string Start, TokenEncoding Encoding)[] s_models =
    [
        ("gpt-4o", TokenEncoding.O200kBase), ("gpt-4.1", TokenEncoding.O200kBase), ("gpt-4.5", TokenEncoding.O200kBase), ("gpt-5", TokenEncoding.O200kBase), ("chatgpt-4o", TokenEncoding.O200kBase),
        ("o1", TokenEncoding.O200kBase), ("o3", TokenEncoding.O200kBase), ("o4-mini", TokenEncoding.O200kBase),
        ("gpt-4", TokenEncoding.Cl100kBase), ("gpt-3.5", TokenEncoding.Cl100kBase), ("gpt-35", TokenEncoding.Cl100kBase), ("davinci-002", TokenEncoding.Cl100kBase), ("babbage-002", TokenEncoding.Cl100kBase),
        ("text-davinci-003", TokenEncoding.P50kBase), ("text-davinci-002", TokenEncoding.P50kBase),
        ("text-davinci-001", TokenEncoding.R50kBase), ("text-curie-001", TokenEncoding.R50kBase), ("text-babbage-001", TokenEncoding.R50kBase), ("text-ada-001", TokenEncoding.R50kBase),
    ];

    /// <summary>The vocabulary of a model of OpenAI's, null where it is not known.</summary>
    public static TokenEncoding? Of(string? model) =>
        s_models.Where(m => model?.StartsWith(m.Start, StringComparison.Ordinal) == true).Select(m => (TokenEncoding?)m.Encoding).FirstOrDefault();
}
