using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Annotation.Parsing;
using Farm.Cli.Engine;
using Farm.Cli.Options;
using Farm.Core;
using Farm.Inference;
using Farm.Models.Llama;
using Farm.Models.Prompts;
using Farm.Models.Tokenizers;

namespace Farm.Cli.Annotation;

/// <summary>
/// Farm's own engine as the server of a judge: the prompt in the model's chat format, one completion at a time. A request for one token with
/// log probabilities is answered by those of the whole vocabulary.
/// </summary>
internal sealed class EngineCompletionClient : ICompletionClient, IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private readonly IBackend _backend;
    private readonly LlamaModel _model;
    private readonly ITokenizer _tokenizer;
    private readonly ChatFormat? _chat;
    private readonly ulong _seed;
    private readonly int _context;

    /// <summary>Loads the model.</summary>
    /// <exception cref="BadInputException">The folder holds no model with a tokenizer.</exception>
    public EngineCompletionClient(string path, EngineSettings settings, int seed)
    {
        var folder = ModelFolder.OpenDecoder(path);
        _tokenizer = folder.RequireTokenizer();
        _chat = ChatFormat.Detect(TokenizerSettings.Load(path).ChatTemplate);
        _context = folder.Config.MaxPositionEmbeddings;
        _seed = (ulong)Math.Abs((long)seed);
        _backend = Backends.Create(settings);
        _model = folder.LoadDecoder(_backend, settings.DType);
    }

    /// <inheritdoc/>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        using var document = JsonDocument.Parse(request.Body);
        var body = document.RootElement;
        string prompt = Prompt(body);
        // A chat format prints its own beginning of the text.
        int[] ids = _tokenizer.Encode(prompt, addSpecialTokens: _chat is null);
        int most = Math.Min((int)(Number(body, "max_tokens") ?? 256), _context - ids.Length);
        if (most < 1)
        {
            return new CompletionReply { Failure = new JudgeFailure(FailureReason.BadRequest, $"the prompt is {ids.Length} tokens long and leaves no room in the model's context of {_context}") };
        }

        bool wantsLogprobs = body.TryGetProperty("logprobs", out var wanted) && wanted.ValueKind == JsonValueKind.True;
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await Task.Run(() => wantsLogprobs && most == 1 ? Token(ids, (int)(Number(body, "top_logprobs") ?? 1)) : Text(ids, prompt, most, body, cancellationToken), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _model.Dispose();
        _backend.Dispose();
        _turn.Dispose();
    }

    private string Prompt(JsonElement body)
    {
        if (!body.TryGetProperty("messages", out var list))
        {
            return body.GetProperty("prompt").GetString()!;
        }

        ChatMessage[] messages = [.. list.EnumerateArray().Select(m => new ChatMessage(m.GetProperty("role").GetString()!, m.GetProperty("content").GetString()!))];
        // A model without a chat format gets what is said, one message after the other.
        return _chat?.Format(messages) ?? string.Join("\n\n", messages.Select(m => m.Content));
    }

    private CompletionReply Text(int[] ids, string prompt, int most, JsonElement body, CancellationToken cancellation)
    {
        var options = new GenerationOptions
        {
            MaxNewTokens = most,
            Seed = _seed,
            Sampling = new SamplingParameters { Temperature = (float)(Number(body, "temperature") ?? 1), TopP = (float)(Number(body, "top_p") ?? 1) },
        };
        using var generator = new Generator(_model, _tokenizer, options);
        SampleResult? sample = null;
        generator.Generate([new Prompt(0, ids, prompt)], done => sample = done.Samples[0], cancellation: cancellation);
        string text = string.IsNullOrEmpty(sample!.Text) ? " " : sample.Text;
        return new CompletionReply
        {
            Text = text,
            TotalTokens = ids.Length + sample.TokenIds.Length,
            Choice = JsonSerializer.SerializeToElement(new { finish_reason = sample.FinishReason.Name(), text, total_tokens = ids.Length + sample.TokenIds.Length }),
        };
    }

    private CompletionReply Token(int[] ids, int top)
    {
        using var evaluator = new Evaluator(_model);
        float[] logits = evaluator.Logits(ids);
        double most = logits.Max(), normaliser = most + Math.Log(logits.Sum(l => Math.Exp(l - most)));
        var best = logits.Select((l, i) => (Logprob: l - normaliser, Id: i)).OrderByDescending(t => t.Logprob).Take(Math.Max(top, 1))
            .Select(t => new { token = _tokenizer.Decode([t.Id]), logprob = t.Logprob }).ToArray();
        return new CompletionReply
        {
            Text = best[0].token.Length > 0 ? best[0].token : " ",
            TotalTokens = ids.Length + 1,
            Choice = JsonSerializer.SerializeToElement(new
            {
                finish_reason = "length",
                logprobs = new { content = new[] { new { best[0].token, best[0].logprob, top_logprobs = best } } },
                text = best[0].token,
                total_tokens = ids.Length + 1,
            }),
        };
    }

    private static double? Number(JsonElement body, string name) =>
        body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
