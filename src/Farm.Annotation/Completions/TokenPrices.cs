namespace Farm.Annotation.Completions;

/// <summary>alpaca_eval's prices in US dollars a token, the same for prompt and reply. The first name that the model's name contains counts.</summary>
public static class TokenPrices
{
    private static readonly (string Name, double Price)[] s_openAi =
    [
        ("gpt-4o-mini-2024-07-18", 0.15e-6), ("gpt-4-turbo", 1e-5), ("gpt-4-1106", 1e-5), ("gpt-4", 3e-5), ("gpt-3.5-turbo", 2e-6), ("text-davinci-003", 2e-5),
    ];

    /// <summary>The price of a model, null where it is not known.</summary>
    /// <param name="decoder">The decoder's name.</param>
    /// <param name="model">The model's name.</param>
    public static double? Of(string decoder, string? model)
    {
        model ??= string.Empty;
        switch (decoder)
        {
            case "openai_completions" or "cache_completions":
                double price = s_openAi.FirstOrDefault(p => model.Contains(p.Name, StringComparison.Ordinal)).Price;
                return price > 0 ? price : null;
            case "anthropic_completions":
                return model is "claude-v1" or "claude-2" ? 8e-6 : null;
            case "cohere_completions":
                return 1.5e-5;
            case "test_completions":
                return 0;
            default:
                return null;
        }
    }
}
