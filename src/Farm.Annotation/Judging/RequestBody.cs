using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Farm.Annotation.Configuration;
using Farm.Annotation.Prompts;
using Farm.Annotation.Python;
using Farm.Core;

namespace Farm.Annotation.Judging;

/// <summary>Makes the JSON of a request out of a judge's decoder arguments, which are alpaca_eval's, and a prompt.</summary>
internal sealed class RequestBody
{
    // What the decoders of alpaca_eval take for themselves; everything else goes into the request unchanged. Of these, num_procs, n_retries and sleep_time
    // are settings of the run here and not of the judge.
    private static readonly string[] s_consumed =
    [
        "model_name", "max_tokens", "temperature", "top_p", "tokens_to_favor", "tokens_to_avoid", "is_skip_multi_tokens_to_avoid", "is_strip", "num_procs", "batch_size",
        "price_per_token", "requires_chatml", "is_chat", "sleep_time", "client_config_path", "client_kwargs", "client_function_name", "client_class", "n_retries",
        "max_tokens_to_sample", "max_new_tokens", "max_output_tokens", "model_kwargs", "is_chatml_prompt", "do_sample", "cache_path", "fn_completions", "logit_bias",
    ];

    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly JudgeConfig _config;
    private readonly KeyReader _keys;
    private readonly IReadOnlyDictionary<string, int> _logitBias;
    private readonly bool _isStrip;
    private readonly bool _isOpenAi;
    private readonly bool _requiresChatMl;

    public RequestBody(JudgeConfig config, IReadOnlyDictionary<string, int> logitBias)
    {
        _config = config;
        _logitBias = logitBias;
        _keys = new KeyReader($"annotator '{config.Name}', completions_kwargs", config.CompletionsKwargs);
        _isOpenAi = config.FnCompletions is "openai_completions" or "cache_completions";
        Model = _isOpenAi ? _keys.Text("model_name") : config.ModelName ?? string.Empty;
        _requiresChatMl = _keys.Boolean("requires_chatml", _isOpenAi && IsChatModel(Model));
        IsChat = !_isOpenAi || _keys.Boolean("is_chat", _requiresChatMl);
        _isStrip = _keys.Boolean("is_strip", true);
        if (_keys.Any("max_tokens") is List<object?>)
        {
            throw _keys.Wrong("max_tokens", "must be one number: a list, one for each prompt, cannot be told apart from here");
        }

        PromptsPerRequest = !_isOpenAi || IsChat ? 1 : _keys.Integer("batch_size", 10) is >= 1 and var together ? together : throw _keys.Wrong("batch_size", "must be at least 1");
        MaxTokens = _keys.Integer("max_tokens", _keys.Integer("max_tokens_to_sample", _keys.Integer("max_new_tokens", _keys.Integer("max_output_tokens", 2048))));
    }

    /// <summary>The model.</summary>
    public string Model { get; }

    /// <summary>True for the chat endpoint.</summary>
    public bool IsChat { get; }

    /// <summary>Prompts that may share a request.</summary>
    public int PromptsPerRequest { get; }

    /// <summary>The longest reply in tokens.</summary>
    public int MaxTokens { get; }

    /// <summary>alpaca_eval's rule for which models take chats.</summary>
    public static bool IsChatModel(string model) =>
        !(model.Contains("instruct", StringComparison.Ordinal)
          || (model.Contains("gpt-3", StringComparison.Ordinal) && !model.Contains("turbo", StringComparison.Ordinal))
          || model.StartsWith("text-", StringComparison.Ordinal));

    /// <summary>The request's JSON.</summary>
    /// <exception cref="BadInputException">The prompt is not Chat-ML where the model takes chats.</exception>
    public byte[] Write(string prompt)
    {
        if (_isStrip)
        {
            prompt = prompt.Trim();
        }

        var buffer = new ArrayBufferWriter<byte>(prompt.Length + 512);
        using (var writer = new Utf8JsonWriter(buffer, s_json))
        {
            writer.WriteStartObject();
            writer.WriteString("model", Model);
            WritePrompt(writer, prompt);
            WriteNumber(writer, "max_tokens", MaxTokens, _config.CompletionsKwargs.ContainsKey("max_tokens") && _keys.Any("max_tokens") is null);
            WriteNumber(writer, "top_p", _keys.Number("top_p") ?? 1.0, IsNull("top_p"));
            WriteNumber(writer, "temperature", _keys.Number("temperature") ?? 0.7, IsNull("temperature"));
            if (_logitBias.Count > 0)
            {
                writer.WriteStartObject("logit_bias");
                foreach (var (token, bias) in _logitBias)
                {
                    writer.WriteNumber(token, bias);
                }

                writer.WriteEndObject();
            }

            foreach (var (key, value) in _config.CompletionsKwargs)
            {
                string name = JudgeConfigReader.Text(key);
                if (!s_consumed.Contains(name))
                {
                    writer.WritePropertyName(name);
                    PythonValue.Write(writer, value);
                }
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private bool IsNull(string key) => _config.CompletionsKwargs.TryGetValue(key, out object? value) && value is null;

    private static void WriteNumber(Utf8JsonWriter writer, string name, double value, bool omit)
    {
        if (!omit)
        {
            writer.WriteNumber(name, value);
        }
    }

    private void WritePrompt(Utf8JsonWriter writer, string prompt)
    {
        if (!IsChat)
        {
            writer.WriteString("prompt", prompt);
            return;
        }

        // Prompts of other providers' plain text forms go to a chat server as one message.
        var messages = _requiresChatMl || (!_isOpenAi && ChatMl.Is(prompt)) ? ChatMl.Parse(prompt) : [new ChatMlMessage("user", prompt, [])];
        writer.WriteStartArray("messages");
        foreach (var message in messages)
        {
            writer.WriteStartObject();
            writer.WriteString("content", message.Content);
            writer.WriteString("role", message.Role);
            foreach (var (name, value) in message.Fields)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
