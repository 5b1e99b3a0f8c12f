using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Core;

namespace Farm.Annotation.Replies;

/// <summary>
/// Keeps every reply on disk before anyone uses it, one JSON line each, and gives it back instead of asking again: a run that was killed and is
/// started again pays for nothing twice. The n-th time that a run sends the same request it gets the n-th reply kept, so that a request repeated
/// because its reply could not be read is repeated. Failures are not kept.
/// </summary>
public sealed class ReplyJournal : ICompletionClient, IDisposable
{
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);
    private readonly ICompletionClient _inner;
    private readonly FileStream _stream;
    private readonly string _path;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, List<CompletionReply>> _kept = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _asked = new(StringComparer.Ordinal);

    private ReplyJournal(ICompletionClient inner, string path, FileStream stream) => (_inner, _path, _stream) = (inner, path, stream);

    /// <summary>Replies that were there before this run.</summary>
    public int Restored { get; private set; }

    /// <summary>Opens the journal, which no other run may have open, and makes it where there is none.</summary>
    /// <exception cref="BadInputException">The file cannot be opened, is another run's, or is no journal.</exception>
    public static ReplyJournal Open(string path, ICompletionClient inner)
    {
        FileStream stream;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException(Directory.Exists(path) ? $"The journal {path} is a folder, not a file." : $"The journal {path} cannot be opened: permission denied.", e);
        }
        catch (IOException e)
        {
            throw new BadInputException(File.Exists(path) ? $"The journal {path} is in use by another run; wait for it, or name another one." : $"The journal {path} cannot be opened: {e.Message.TrimEnd('.')}.", e);
        }

        var journal = new ReplyJournal(inner, path, stream);
        try
        {
            journal.Load();
            return journal;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        string key = Convert.ToHexStringLower(SHA256.HashData([request.IsChat ? (byte)1 : (byte)0, .. request.Body.Span]));
        lock (_lock)
        {
            int n = _asked.GetValueOrDefault(key);
            _asked[key] = n + 1;
            if (_kept.GetValueOrDefault(key) is { } replies && n < replies.Count)
            {
                return replies[n] with { Attempts = 0 };
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        // A request that is on its way is paid for: when the run stops, its reply still gets some time to come in and be kept.
        using var late = new CancellationTokenSource();
        using var stopping = cancellationToken.Register(() => late.CancelAfter(Grace));
        var reply = await _inner.CompleteAsync(request, late.Token).ConfigureAwait(false);
        if (reply.Failure is null)
        {
            Append(key, request.Model, reply);
        }

        return reply;
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private void Append(string key, string model, CompletionReply reply)
    {
        using var line = new MemoryStream();
        using (var writer = new Utf8JsonWriter(line, Json))
        {
            writer.WriteStartObject();
            writer.WriteString("request", key);
            writer.WriteString("model", model);
            writer.WriteString("date", DateTimeOffset.UtcNow);
            writer.WriteString("text", reply.Text);
            if (reply.TotalTokens is { } tokens)
            {
                writer.WriteNumber("total_tokens", tokens);
            }

            if (reply.Choice is { } choice)
            {
                writer.WritePropertyName("choice");
                choice.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        lock (_lock)
        {
            try
            {
                _stream.Write(line.ToArray());
                _stream.Flush();
            }
            catch (IOException e)
            {
                throw new BadInputException($"The journal {_path} cannot be written: {e.Message.TrimEnd('.')}; the run stops before it pays for replies that it cannot keep.", e);
            }
        }
    }

    private void Load()
    {
        byte[] bytes = new byte[_stream.Length];
        _stream.ReadExactly(bytes);
        int start = 0;
        for (int end, line = 1; (end = Array.IndexOf(bytes, (byte)'\n', start)) >= 0; start = end + 1, line++)
        {
            try
            {
                var row = JsonElement.Parse(bytes.AsSpan(start, end - start));
                string key = row.GetProperty("request").GetString()!;
                var reply = new CompletionReply
                {
                    Text = row.GetProperty("text").GetString()!,
                    TotalTokens = row.TryGetProperty("total_tokens", out var tokens) ? tokens.GetDouble() : null,
                    Choice = row.TryGetProperty("choice", out var choice) ? choice : null,
                };
                if (!_kept.TryGetValue(key, out var replies))
                {
                    _kept[key] = replies = [];
                }

                replies.Add(reply);
                Restored++;
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new BadInputException($"{_path}, line {line}: is no journal of replies; name another file.", e);
            }
        }

        // What follows the last line feed is the torn line of a killed run. A file that never had one, and is not empty, is something else.
        if (start == 0 && bytes.Length > 0 && bytes[0] != '{')
        {
            throw new BadInputException($"{_path} is no journal of replies; name another file.");
        }

        _stream.SetLength(start);
        _stream.Position = start;
    }
}
