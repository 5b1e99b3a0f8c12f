using System.Collections.Concurrent;
using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Annotation.Parsing;

namespace Farm.Annotation.Tests.Replies;

/// <summary>Answers requests by a function of the last message and of how often the same request was sent before.</summary>
internal sealed class ScriptedClient(Func<string, int, string?> answer) : ICompletionClient
{
    private readonly ConcurrentDictionary<string, int> _seen = new();

    public ConcurrentQueue<JsonElement> Requests { get; } = new();

    public Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        var body = JsonElement.Parse(request.Body.Span);
        Requests.Enqueue(body);
        string text = body.TryGetProperty("messages", out var messages) ? messages[messages.GetArrayLength() - 1].GetProperty("content").GetString()! : body.GetProperty("prompt").GetString()!;
        int before = _seen.AddOrUpdate(text, 1, (_, n) => n + 1) - 1;
        return Task.FromResult(answer(text, before) is { } reply
            ? new CompletionReply { Text = reply, TotalTokens = 10 }
            : new CompletionReply { Failure = new JudgeFailure(FailureReason.ServerError, "no answer") });
    }
}
