using Farm.Annotation.Configuration;
using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>
/// alpaca_eval's client configuration (<c>client_configs/openai_configs.yaml</c>): for each model, or <c>default</c>, a list of clients by the
/// arguments of the OpenAI package's classes. A client is another key, organization or server, or a deployment on Azure.
/// </summary>
public sealed class OpenAiClientConfig
{
    /// <summary>The variable that names the file.</summary>
    public const string PathVariable = "OPENAI_CLIENT_CONFIG_PATH";

    private const string Default = "default";
    private readonly string _path;
    private readonly OrderedDictionary<object, object?> _models;

    private OpenAiClientConfig(string path, OrderedDictionary<object, object?> models) => (_path, _models) = (path, models);

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadInputException">It is missing, no YAML, or a client's arguments are wrong.</exception>
    public static OpenAiClientConfig Read(string path)
    {
        var models = YamlFile.Read(path) as OrderedDictionary<object, object?>;
        var config = new OpenAiClientConfig(path, models is { Count: > 0 } ? models : throw new BadInputException($"{path} must hold a map from models, or 'default', to lists of clients."));
        foreach (string model in config._models.Keys.Select(JudgeConfigReader.Text))
        {
            // Faults are found before anything is sent, whichever model they are about.
            config.Accounts(model, []);
        }

        return config;
    }

    /// <summary>The clients of a model: its own and, where its list names them, the default ones; those alone for a model that is not in the file.</summary>
    /// <param name="model">The model.</param>
    /// <param name="added">Arguments that every client gets (<c>client_kwargs</c>).</param>
    /// <exception cref="BadInputException">The file has no client for the model.</exception>
    internal IReadOnlyList<OpenAiAccount> Accounts(string model, OrderedDictionary<object, object?> added)
    {
        string name = _models.ContainsKey(model) ? model : Default;
        var own = List(name);
        bool withDefault = name != Default && own.Any(c => c is Default);
        var accounts = new List<OpenAiAccount>();
        if (withDefault)
        {
            Add(Default, List(Default));
        }

        Add(name, own);
        return accounts.Count > 0 ? accounts : throw new BadInputException($"{_path}: '{name}' has no clients.");

        void Add(string key, List<object?> clients)
        {
            for (int i = 0; i < clients.Count; i++)
            {
                if (clients[i] is not Default || key == Default)
                {
                    accounts.Add(Client(key, i, clients[i], added));
                }
            }
        }
    }

    private List<object?> List(string name) => _models.TryGetValue(name, out object? value)
        ? value as List<object?> ?? throw new BadInputException($"{_path}: '{name}' must be a list of clients.")
        : throw new BadInputException($"{_path} has no clients '{name}'.");

    private OpenAiAccount Client(string key, int index, object? value, OrderedDictionary<object, object?> added)
    {
        string source = $"{_path} (client {index + 1} of '{key}')";
        return value is OrderedDictionary<object, object?> arguments
            ? OpenAiClientArguments.Account(source, arguments, added)
            : throw new BadInputException($"{source}: must be a map of the client's arguments{(key == Default ? string.Empty : ", or 'default'")}.");
    }
}
