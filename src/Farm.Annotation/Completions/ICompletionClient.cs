using System.Text.Json;
using Farm.Annotation.Parsing;

namespace Farm.Annotation.Completions;

/// <summary>Makes completions: a server behind the network, a local engine, or a test.</summary>
public interface ICompletionClient
{
    /// <summary>Asks for one completion.</summary>
    /// <returns>The reply, or the failure after all retries; only what must stop the whole run is thrown.</returns>
    /// <exception cref="Farm.Core.BadInputException">The key is refused, the model is unknown: no other request can succeed.</exception>
    Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken);
}

/// <summary>A request in OpenAI's JSON.</summary>
/// <param name="Model">The model.</param>
/// <param name="IsChat">True for the chat endpoint, false for the completion endpoint.</param>
/// <param name="Body">The request's JSON object in UTF-8.</param>
/// <param name="EstimatedTokens">Tokens that prompt and reply will take at most, roughly; for rate limits and the cost limit.</param>
public sealed record CompletionRequest(string Model, bool IsChat, ReadOnlyMemory<byte> Body, int EstimatedTokens)
{
    /// <summary>Prompts that may share a request of the completion endpoint, null for the client's own rule.</summary>
    public int? PromptsPerRequest { get; init; }
}

/// <summary>What came of a request.</summary>
public sealed record CompletionReply
{
    /// <summary>The text, or a tool call's arguments; a space where the reply is empty.</summary>
    public string Text { get; init; } = string.Empty;

    /// <summary>The choice object with <c>text</c> and <c>total_tokens</c> added; none where there is a failure.</summary>
    public JsonElement? Choice { get; init; }

    /// <summary>Tokens of prompt and reply.</summary>
    public double? TotalTokens { get; init; }

    /// <summary>How often the server was asked.</summary>
    public int Attempts { get; init; } = 1;

    /// <summary>Why there is no reply.</summary>
    public JudgeFailure? Failure { get; init; }
}
