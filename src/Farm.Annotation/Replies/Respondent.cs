using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Farm.Annotation.Completions;

namespace Farm.Annotation.Replies;

/// <summary>A model that is asked, with what its tokens cost.</summary>
/// <param name="client">Sends requests and retries what can be retried.</param>
/// <param name="model">The model's name, as the server knows it.</param>
/// <param name="pricePerToken">US dollars per token of prompt and reply; null where it is not known.</param>
/// <param name="ledger">What was spent; null where nobody asks.</param>
public sealed class Respondent(ICompletionClient client, string model, double? pricePerToken = null, CostLedger? ledger = null)
{
    private const int CharactersPerToken = 3, DefaultReplyTokens = 1024;
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The model's name.</summary>
    public string Model => model;

    /// <summary>Asks once.</summary>
    /// <exception cref="CostLimitException">The request could go beyond the ledger's limit.</exception>
    /// <exception cref="Core.BadInputException">No request can succeed: the key is refused, the model unknown.</exception>
    public async Task<CompletionReply> AskAsync(Prompt prompt, Decoding decoding, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(decoding);
        byte[] body = Body(prompt, decoding);
        int tokens = (body.Length / CharactersPerToken) + (decoding.MaxTokens ?? DefaultReplyTokens);
        double estimate = tokens * (pricePerToken ?? 0);
        double reserved = ledger?.Reserve(estimate) ?? 0;
        CompletionReply? reply = null;
        try
        {
            reply = await client.CompleteAsync(new CompletionRequest(model, prompt.Messages is not null, body, tokens), cancellation).ConfigureAwait(false);
            return reply;
        }
        finally
        {
            if (reply is { Attempts: > 0 })
            {
                ledger?.Book(reserved, reply.TotalTokens * pricePerToken, reply.TotalTokens);
            }
            else
            {
                // A reply that the journal gave back was paid for in an earlier run.
                ledger?.Return(reserved);
            }
        }
    }

    private byte[] Body(Prompt prompt, Decoding decoding)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Json))
        {
            writer.WriteStartObject();
            writer.WriteString("model", model);
            if (prompt.Messages is { } messages)
            {
                writer.WriteStartArray("messages");
                foreach (var message in messages)
                {
                    writer.WriteStartObject();
                    writer.WriteString("role", message.Role);
                    writer.WriteString("content", message.Content);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }
            else
            {
                writer.WriteString("prompt", prompt.Text);
            }

            Number(writer, "max_tokens", decoding.MaxTokens);
            Number(writer, "temperature", decoding.Temperature);
            Number(writer, "top_p", decoding.TopP);
            Number(writer, "frequency_penalty", decoding.FrequencyPenalty);
            Number(writer, "presence_penalty", decoding.PresencePenalty);
            if (decoding.Stop.Count > 0)
            {
                writer.WriteStartArray("stop");
                foreach (string stop in decoding.Stop)
                {
                    writer.WriteStringValue(stop);
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Number(Utf8JsonWriter writer, string name, double? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
    }
}
