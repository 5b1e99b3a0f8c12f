using System.Globalization;
using Farm.Annotation.Configuration;

namespace Farm.Annotation.Completions;

/// <summary>What a judge adds to the logits of tokens: what its configuration gives by id, -100 for words to avoid, 7 for words to favour.</summary>
public static class LogitBias
{
    private const int Avoid = -100, Favor = 7;

    /// <summary>The bias by a vocabulary: words to avoid count where they are one token, of words to favour every token does.</summary>
    /// <param name="config">The judge.</param>
    /// <param name="encode">The token ids of a word.</param>
    public static IReadOnlyDictionary<string, int> Of(JudgeConfig config, Func<string, IReadOnlyList<int>> encode)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(encode);
        var keys = Keys(config);
        bool skipLong = keys.Boolean("is_skip_multi_tokens_to_avoid", true);
        var bias = Given(config);
        foreach (var tokens in Words(keys, "tokens_to_avoid").Select(encode).Where(t => t.Count == 1 || !skipLong))
        {
            Set(tokens, Avoid);
        }

        foreach (string word in Words(keys, "tokens_to_favor"))
        {
            Set(encode(word), Favor);
        }

        return bias;

        void Set(IReadOnlyList<int> tokens, int value)
        {
            foreach (int token in tokens)
            {
                bias[token.ToString(CultureInfo.InvariantCulture)] = value;
            }
        }
    }

    /// <summary>The bias by the ids that Farm knows, those of the words in alpaca_eval's own judges; null where a word or the model's vocabulary is not among them.</summary>
    public static IReadOnlyDictionary<string, int>? Known(JudgeConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var keys = Keys(config);
        return TokenEncodings.Of(config.ModelName) is { } encoding && Words(keys, "tokens_to_avoid").Concat(Words(keys, "tokens_to_favor")).All(w => KnownWords.Find(encoding, w) is not null)
            ? Of(config, w => KnownWords.Find(encoding, w)!)
            : null;
    }

    /// <summary>The bias that the configuration gives by token ids.</summary>
    internal static OrderedDictionary<string, int> Given(JudgeConfig config)
    {
        var keys = Keys(config);
        var bias = new OrderedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, value) in keys.Map("logit_bias"))
        {
            bias[JudgeConfigReader.Text(token)] = value is long and >= -100 and <= 100 ? (int)(long)value : throw keys.Wrong("logit_bias", $"must be an integer from -100 to 100 for token {JudgeConfigReader.Text(token)}");
        }

        return bias;
    }

    private static KeyReader Keys(JudgeConfig config) => new($"annotator '{config.Name}', completions_kwargs", config.CompletionsKwargs);

    private static IReadOnlyList<string> Words(KeyReader keys, string name) => keys.Texts(name, []);
}
