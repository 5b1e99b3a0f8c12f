using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Farm.Annotation.Completions;

/// <summary>
/// Puts prompts of the completion endpoint that are asked for at the same time, and differ in nothing but the prompt, into one request, as
/// alpaca_eval does. A request goes out when it is full, or when its first prompt has waited long enough.
/// </summary>
/// <param name="patience">How long a prompt waits for others.</param>
/// <param name="clock">The clock.</param>
/// <param name="send">Sends a request with a list of prompts; a reply for each.</param>
internal sealed class CompletionBatcher(TimeSpan patience, TimeProvider clock, Func<CompletionRequest, int, CancellationToken, Task<IReadOnlyList<CompletionReply>>> send)
{
    private static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Others, int Size), Group> _open = [];

    /// <summary>Is the request's prompt one text? Requests of any other form go by themselves.</summary>
    public static bool HasPrompt(CompletionRequest request)
    {
        using var document = JsonDocument.Parse(request.Body);
        return document.RootElement.TryGetProperty("prompt", out var prompt) && prompt.ValueKind == JsonValueKind.String;
    }

    /// <summary>Asks for one prompt.</summary>
    /// <param name="request">The request; its prompt is a text.</param>
    /// <param name="size">Prompts that may share a request.</param>
    /// <param name="cancellation">Gives the prompt up; the request goes on for the others.</param>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, int size, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var (prompt, rest) = Split(request.Body);
        var key = (rest, size);
        Group? group;
        int place;
        lock (_lock)
        {
            if (!_open.TryGetValue(key, out group))
            {
                _open[key] = group = new Group();
                _ = CloseLaterAsync(key, group, request);
            }

            place = group.Prompts.Count;
            group.Prompts.Add(prompt);
            group.Tokens += request.EstimatedTokens;
            if (group.Prompts.Count == size)
            {
                _open.Remove(key);
                group.Full.SetResult();
            }
        }

        using var leaving = cancellation.Register(group.Leave);
        var replies = await group.Replies.Task.WaitAsync(cancellation).ConfigureAwait(false);
        return replies[place];
    }

    private async Task CloseLaterAsync((string Others, int Size) key, Group group, CompletionRequest first)
    {
        using var waiting = new CancellationTokenSource();
        await Task.WhenAny(group.Full.Task, Task.Delay(patience, clock, waiting.Token)).ConfigureAwait(false);
        await waiting.CancelAsync().ConfigureAwait(false);
        lock (_lock)
        {
            if (_open.TryGetValue(key, out var open) && ReferenceEquals(open, group))
            {
                _open.Remove(key);
            }
        }

        try
        {
            group.Replies.SetResult(await send(first with { Body = Join(key.Others, group.Prompts), EstimatedTokens = group.Tokens }, group.Prompts.Count, group.Abandoned.Token).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            group.Replies.SetException(e);
        }
    }

    /// <summary>The prompt, and the rest of the request.</summary>
    private static (string Prompt, string Others) Split(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, s_json))
        {
            writer.WriteStartObject();
            foreach (var field in document.RootElement.EnumerateObject().Where(f => f.Name != "prompt"))
            {
                field.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return (document.RootElement.GetProperty("prompt").GetString()!, Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    private static byte[] Join(string rest, IReadOnlyList<string> prompts)
    {
        using var document = JsonDocument.Parse(rest);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, s_json))
        {
            writer.WriteStartObject();
            foreach (var field in document.RootElement.EnumerateObject())
            {
                field.WriteTo(writer);
                if (field.Name == "model")
                {
                    Prompt(writer, prompts);
                }
            }

            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static void Prompt(Utf8JsonWriter writer, IReadOnlyList<string> prompts)
    {
        if (prompts.Count == 1)
        {
            writer.WriteString("prompt", prompts[0]);
            return;
        }

        writer.WriteStartArray("prompt");
        foreach (string prompt in prompts)
        {
            writer.WriteStringValue(prompt);
        }

        writer.WriteEndArray();
    }

    /// <summary>Prompts that share a request.</summary>
    private sealed class Group
    {
        private int _left;

        public List<string> Prompts { get; } = [];

        public int Tokens { get; set; }

        public TaskCompletionSource Full { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<IReadOnlyList<CompletionReply>> Replies { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Cancelled when nobody waits for the request any more.</summary>
        public CancellationTokenSource Abandoned { get; } = new();

        public void Leave()
        {
            if (Interlocked.Increment(ref _left) == Prompts.Count)
            {
                Abandoned.Cancel();
            }
        }
    }
}
