using System.Text.Json;

namespace Farm.Annotation.Completions;

/// <summary>alpaca_eval's <c>test_completions</c>: the same text for every prompt, at no cost.</summary>
public sealed class FixedCompletionClient(string value) : ICompletionClient
{
    /// <inheritdoc/>
    public Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken) => Task.FromResult(new CompletionReply
    {
        Text = value,
        TotalTokens = 0,
        Choice = JsonSerializer.SerializeToElement(new Dictionary<string, object> { ["text"] = value, ["total_tokens"] = 0 }),
    });
}
