using Farm.Annotation.Completions;
using Farm.Annotation.Configuration;
using Farm.Annotation.Python;
using Farm.Core;

namespace Farm.Annotation.Judging;

/// <summary>Makes judges of configurations.</summary>
public static class JudgePool
{
    /// <summary>Judges with the clients that their decoders name.</summary>
    /// <param name="configs">The configurations.</param>
    /// <param name="remote">Makes the client of a judge's servers; judges that say the same of their servers share one.</param>
    /// <param name="hasEndpoint">True where the user said which server to ask: then any decoder's judge is sent there.</param>
    /// <param name="ledger">Where the cost is booked.</param>
    /// <param name="logitBias">The bias of a judge's tokens; null where no vocabulary is at hand.</param>
    /// <exception cref="BadInputException">A decoder cannot be had.</exception>
    public static IReadOnlyList<ConfiguredJudge> Create(
        IReadOnlyList<JudgeConfig> configs, Func<JudgeConfig, ICompletionClient> remote, bool hasEndpoint, CostLedger? ledger = null, Func<JudgeConfig, IReadOnlyDictionary<string, int>>? logitBias = null)
    {
        ArgumentNullException.ThrowIfNull(configs);
        ArgumentNullException.ThrowIfNull(remote);
        var clients = new Dictionary<string, ICompletionClient>(StringComparer.Ordinal);
        return [.. configs.Select(c => new ConfiguredJudge(c, Client(c, hasEndpoint || HasOwnServer(c), Shared), ledger, Bias(c, logitBias)))];

        ICompletionClient Shared(JudgeConfig config)
        {
            string servers = PythonValue.Json(config.CompletionsKwargs.Where(k => k.Key is "client_kwargs" or "client_config_path").Select(k => k.Value).ToList());
            return clients.TryGetValue(servers, out var client) ? client : clients[servers] = remote(config);
        }
    }

    /// <summary>Judges that only read replies that were kept.</summary>
    public static IReadOnlyList<ConfiguredJudge> Readers(IReadOnlyList<JudgeConfig> configs) => [.. configs.Select(c => new ConfiguredJudge(c, null))];

    private static bool HasOwnServer(JudgeConfig config) =>
        config.CompletionsKwargs.GetValueOrDefault("client_config_path") is not null || config.CompletionsKwargs.GetValueOrDefault("client_kwargs") is OrderedDictionary<object, object?> arguments && arguments.ContainsKey("base_url");

    private static ICompletionClient Client(JudgeConfig config, bool hasEndpoint, Func<JudgeConfig, ICompletionClient> remote)
    {
        var arguments = new KeyReader($"annotator '{config.Name}', completions_kwargs", config.CompletionsKwargs);
        return config.FnCompletions switch
        {
            "test_completions" => new FixedCompletionClient(arguments.OptionalText("value") ?? "Output (a)"),
            "openai_completions" or "cache_completions" => remote(config),
            _ when hasEndpoint => remote(config),
            _ => throw new BadInputException(
                $"Annotator '{config.Name}' uses {config.FnCompletions}: give an OpenAI-compatible server that has the model '{config.ModelName}' by --base-url or OPENAI_API_BASE."),
        };
    }

    private static IReadOnlyDictionary<string, int>? Bias(JudgeConfig config, Func<JudgeConfig, IReadOnlyDictionary<string, int>>? logitBias)
    {
        bool wants = config.CompletionsKwargs.GetValueOrDefault("tokens_to_favor") is not null || config.CompletionsKwargs.GetValueOrDefault("tokens_to_avoid") is not null;
        return !wants ? LogitBias.Given(config) : logitBias?.Invoke(config) ?? LogitBias.Known(config) ?? throw new BadInputException(
            $"Annotator '{config.Name}' favours or avoids words, which takes the vocabulary of '{config.ModelName}': give its .tiktoken file by --tiktoken, or send the requests without the bias by --no-logit-bias.");
    }
}
