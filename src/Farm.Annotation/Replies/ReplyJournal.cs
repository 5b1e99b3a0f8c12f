using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Farm.Annotation.Completions;
using Farm.Annotation.Data;
using Farm.Annotation.Journaling;
using Farm.Core;

namespace Farm.Annotation.Replies;

/// <summary>
/// Keeps every request before it is sent and every reply before anyone uses it, in a journal's SQLite file, and gives the reply back instead of
/// asking again: a run that was killed and is started again pays for nothing twice. The n-th time that a run sends the same request it gets the
/// n-th reply kept, so that a request repeated because its reply could not be read is repeated. Failures are kept too, and never given back.
/// </summary>
public sealed class ReplyJournal : ICompletionClient, IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    private readonly ICompletionClient _inner;
    private readonly JournalFile _file;
    private readonly bool _owns;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _asked = new(StringComparer.Ordinal);

    private ReplyJournal(ICompletionClient inner, JournalFile file, bool owns) => (_inner, _file, _owns) = (inner, file, owns);

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>Replies that were there before this run.</summary>
    public int Restored { get; private init; }

    /// <summary>Opens the journal, which no other run may have open, and makes it where there is none.</summary>
    /// <exception cref="BadInputException">The file cannot be opened, is another run's, or is no journal.</exception>
    public static ReplyJournal Open(string path, ICompletionClient inner)
    {
        var file = JournalFile.Open(path);
        return new ReplyJournal(inner, file, owns: true) { Restored = (int)file.Read(c => (long)c.Scalar("SELECT count(*) FROM prompts")!) };
    }

    /// <summary>The same journal before another client; it is closed with the first one. Requests are told apart by what they say, the model's name included.</summary>
    public ReplyJournal Before(ICompletionClient inner) => new(inner, _file, owns: false);

    /// <inheritdoc/>
    public async Task<CompletionReply> CompleteAsync(CompletionRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        byte[] key = SHA256.HashData([request.IsChat ? (byte)1 : (byte)0, .. request.Body.Span]);
        if (Kept(key, Turn(key)) is { } kept)
        {
            return kept;
        }

        cancellationToken.ThrowIfCancellationRequested();
        long call = _file.NextCall();
        await _file.WriteAsync(c => c.Execute(
            "INSERT INTO calls (id, annotator, identity, request, sent_at, pairs) VALUES ($id, $annotator, $identity, $request, $at, 0)",
            ("$id", call), ("$annotator", request.Model), ("$identity", string.Empty), ("$request", Encoding.UTF8.GetString(request.Body.Span)), ("$at", JournalFile.Now()))).ConfigureAwait(false);
        // A request that is on its way is paid for: when the run stops, its reply still gets some time to come in and be kept.
        using var late = new CancellationTokenSource();
        using var stopping = cancellationToken.Register(() => late.CancelAfter(Grace));
        long start = TimeProvider.System.GetTimestamp();
        var reply = await _inner.CompleteAsync(request, late.Token).ConfigureAwait(false);
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        await _file.WriteAsync(c =>
        {
            c.Execute(
                "UPDATE calls SET reply = $reply, failure = $failure, detail = $detail, tokens = $tokens, seconds = $seconds, replied_at = $at, attempts = $attempts WHERE id = $id",
                ("$reply", reply.Failure is not null ? null : (HasText(reply.Choice) ?? JsonRow.Value(reply.Text)).GetRawText()), ("$failure", reply.Failure?.Code), ("$detail", reply.Failure?.Detail),
                ("$tokens", reply.TotalTokens), ("$seconds", seconds), ("$at", JournalFile.Now()), ("$attempts", reply.Attempts), ("$id", call));
            if (reply.Failure is null)
            {
                c.Execute("INSERT INTO prompts (key, call) VALUES ($key, $call)", ("$key", key), ("$call", call));
            }
        }).ConfigureAwait(false);
        return reply;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_owns)
        {
            _file.Dispose();
        }
    }

    /// <summary>How often this run sent the request before.</summary>
    private int Turn(byte[] key)
    {
        string name = Convert.ToHexString(key);
        lock (_lock)
        {
            int n = _asked.GetValueOrDefault(name);
            _asked[name] = n + 1;
            return n;
        }
    }

    private static JsonElement? HasText(JsonElement? choice) =>
        choice is { ValueKind: JsonValueKind.Object } c && c.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String ? choice : null;

    private CompletionReply? Kept(byte[] key, int turn) => _file.Read(c =>
    {
        using var row = c.Query("SELECT c.reply, c.tokens FROM prompts p JOIN calls c ON c.id = p.call WHERE p.key = $key ORDER BY p.call LIMIT 1 OFFSET $turn", ("$key", key), ("$turn", turn));
        if (!row.Read())
        {
            return null;
        }

        var reply = JsonElement.Parse(row.GetString(0));
        bool isChoice = reply.ValueKind == JsonValueKind.Object;
        return new CompletionReply
        {
            Text = (isChoice ? reply.GetProperty("text") : reply).GetString()!,
            TotalTokens = row.IsDBNull(1) ? null : row.GetDouble(1),
            Choice = isChoice ? reply : null,
            Attempts = 0,
        };
    });
}
