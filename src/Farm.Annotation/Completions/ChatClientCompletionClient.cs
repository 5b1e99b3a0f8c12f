using System.Text.Json;
using Farm.Annotation.Parsing;
using Microsoft.Extensions.AI;

namespace Farm.Annotation.Completions;

/// <summary>Any provider that has a Microsoft.Extensions.AI <see cref="IChatClient"/>. Log probabilities are not part of that interface.</summary>
public sealed class ChatClientCompletionClient(IChatClient client) : ICompletionClient
{
    /// <inheritdoc/>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var document = JsonDocument.Parse(request.Body);
        var (messages, options) = Read(document.RootElement);
        ChatResponse response;
        try
        {
            response = await client.GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not (OperationCanceledException or Farm.Core.BadInputException))
        {
            return new CompletionReply { Failure = new JudgeFailure(FailureReason.ServerError, $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}") };
        }

        var call = response.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>().FirstOrDefault();
        string text = call is null ? response.Text : JsonSerializer.Serialize(call.Arguments);
        text = text.Length > 0 ? text : " ";
        return new CompletionReply
        {
            Text = text,
            TotalTokens = response.Usage?.TotalTokenCount,
            Choice = JsonSerializer.SerializeToElement(new Dictionary<string, object?> { ["finish_reason"] = response.FinishReason?.Value, ["text"] = text, ["total_tokens"] = response.Usage?.TotalTokenCount }),
        };
    }

    private static (List<ChatMessage> Messages, ChatOptions Options) Read(JsonElement body)
    {
        var messages = new List<ChatMessage>();
        if (body.TryGetProperty("messages", out var list))
        {
            messages.AddRange(list.EnumerateArray().Select(m => new ChatMessage(new ChatRole(m.GetProperty("role").GetString()!), m.GetProperty("content").GetString())));
        }
        else
        {
            messages.Add(new ChatMessage(ChatRole.User, body.GetProperty("prompt").GetString()));
        }

        return (messages, new ChatOptions
        {
            ModelId = body.GetProperty("model").GetString(),
            Temperature = (float?)Number(body, "temperature"),
            TopP = (float?)Number(body, "top_p"),
            MaxOutputTokens = (int?)(Number(body, "max_tokens") ?? Number(body, "max_completion_tokens")),
            Tools = Tools(body),
        });
    }

    private static List<AITool>? Tools(JsonElement body) => body.TryGetProperty("tools", out var tools) && tools.ValueKind == JsonValueKind.Array
        ? [.. from tool in tools.EnumerateArray()
              where tool.TryGetProperty("function", out _)
              let function = tool.GetProperty("function")
              select (AITool)AIFunctionFactory.CreateDeclaration(
                  function.GetProperty("name").GetString()!,
                  function.TryGetProperty("description", out var text) ? text.GetString() : null,
                  function.TryGetProperty("parameters", out var parameters) ? parameters.Clone() : JsonSerializer.SerializeToElement(new object()))]
        : null;

    private static double? Number(JsonElement body, string name) =>
        body.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;
}
