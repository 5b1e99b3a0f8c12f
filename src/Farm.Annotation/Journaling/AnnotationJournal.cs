using System.Globalization;
using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Core;
using Microsoft.Data.Sqlite;

namespace Farm.Annotation.Journaling;

/// <summary>
/// A SQLite file that holds every request before it is sent and every reply before it is used. What a killed run paid for is there when the
/// next one asks. One run has it at a time; what others see is whole.
/// </summary>
public sealed class AnnotationJournal : IDisposable
{
    private const int LayoutVersion = 1;
    private readonly FileStream _lock;
    private readonly SqliteConnection _reader;
    private readonly SqliteConnection _writerConnection;
    private readonly JournalWriter _writer;
    private readonly Lock _readLock = new();
    private readonly SqliteCommand _find;
    private long _lastCall;

    private AnnotationJournal(string path, FileStream fileLock, SqliteConnection reader, SqliteConnection writer)
    {
        (Path, _lock, _reader, _writerConnection) = (path, fileLock, reader, writer);
        _find = reader.CreateCommand();
        _find.CommandText = """
            SELECT c.reply, c.failure, c.detail, c.tokens, c.price, c.seconds, c.replied_at, c.pairs, p.position, p.switched, p.preference, p.imported
            FROM pairs p JOIN calls c ON c.id = p.call WHERE p.key = $key AND c.replied_at IS NOT NULL ORDER BY p.call DESC LIMIT 1
            """;
        _find.Parameters.Add("$key", SqliteType.Blob);
        using var last = reader.CreateCommand();
        last.CommandText = "SELECT coalesce(max(id), 0) FROM calls";
        _lastCall = Convert.ToInt64(last.ExecuteScalar(), CultureInfo.InvariantCulture);
        _writer = new JournalWriter(writer);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Opens a journal, making it where there is none.</summary>
    /// <exception cref="BadInputException">Another run has it, or the file is no journal or cannot be written.</exception>
    public static AnnotationJournal Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(full))
        {
            throw new BadInputException($"The journal {path} is a folder, not a file.");
        }

        var fileLock = Lock(path, full);
        SqliteConnection? writer = null, reader = null;
        try
        {
            writer = Connect(full, SqliteOpenMode.ReadWriteCreate);
            Prepare(path, writer);
            reader = Connect(full, SqliteOpenMode.ReadOnly);
            return new AnnotationJournal(path, fileLock, reader, writer);
        }
        catch (Exception e)
        {
            reader?.Dispose();
            writer?.Dispose();
            fileLock.Dispose();
            if (e is SqliteException sqlite)
            {
                throw new BadInputException($"{path} is no journal of annotations: {sqlite.Message.ReplaceLineEndings(" ")}", e);
            }

            throw;
        }
    }

    /// <summary>Requests and replies that are kept.</summary>
    public (long Requests, long Replies) Count()
    {
        lock (_readLock)
        {
            using var command = _reader.CreateCommand();
            command.CommandText = "SELECT count(*), count(reply) FROM calls";
            using var row = command.ExecuteReader();
            row.Read();
            return (row.GetInt64(0), row.GetInt64(1));
        }
    }

    /// <summary>The settings of the last run that did not end; null where there is none.</summary>
    public string? UnfinishedRun()
    {
        lock (_readLock)
        {
            using var command = _reader.CreateCommand();
            command.CommandText = "SELECT fingerprint FROM runs WHERE ended_at IS NULL AND id = (SELECT max(id) FROM runs)";
            return command.ExecuteScalar() as string;
        }
    }

    /// <summary>Notes that a run begins.</summary>
    public Task BeginRunAsync(string fingerprint) => _writer.WriteAsync(c => Execute(
        c, "INSERT INTO runs (fingerprint, began_at) VALUES ($fingerprint, $at)", ("$fingerprint", fingerprint), ("$at", Now())));

    /// <summary>Notes that the run came to its end.</summary>
    public Task EndRunAsync() => _writer.WriteAsync(c => Execute(c, "UPDATE runs SET ended_at = $at WHERE id = (SELECT max(id) FROM runs)", ("$at", Now())));

    /// <summary>Closes the file and lets others have it.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        _find.Dispose();
        _reader.Dispose();
        _writerConnection.Dispose();
        _lock.Dispose();
    }

    /// <summary>Looks up what came of a pair the last time it was asked.</summary>
    internal KeptReply? Find(PairKey key)
    {
        lock (_readLock)
        {
            _find.Parameters[0].Value = key.ToArray();
            using var row = _find.ExecuteReader();
            if (!row.Read())
            {
                return null;
            }

            return new KeptReply(
                row.IsDBNull(0) ? null : Json(row.GetString(0)),
                row.IsDBNull(1) ? null : new JudgeFailure(JudgeFailure.ReasonOf(row.GetString(1)), row.GetString(2)),
                Real(row, 3),
                Real(row, 4),
                Real(row, 5),
                row.GetString(6),
                row.GetInt32(7),
                row.GetInt32(8),
                row.GetBoolean(9),
                Real(row, 10),
                row.GetBoolean(11));
        }
    }

    /// <summary>A number for a new request.</summary>
    internal long NextCall() => Interlocked.Increment(ref _lastCall);

    /// <summary>Keeps a request before it is sent.</summary>
    internal Task AppendRequestAsync(long call, string annotator, string identity, string body, IReadOnlyList<KeptPair> pairs) => _writer.WriteAsync(c =>
    {
        Execute(
            c,
            "INSERT INTO calls (id, annotator, identity, request, sent_at, pairs) VALUES ($id, $annotator, $identity, $request, $at, $pairs)",
            ("$id", call), ("$annotator", annotator), ("$identity", identity), ("$request", body), ("$at", Now()), ("$pairs", pairs.Count));
        foreach (var pair in pairs)
        {
            if (pair.Key is { } key)
            {
                Insert(c, call, pair, key, null, false);
            }
        }
    });

    /// <summary>Keeps what came of a request before it is used.</summary>
    internal Task AppendReplyAsync(long call, JudgeReply reply, double seconds, string date, IReadOnlyList<double?> preferences) => _writer.WriteAsync(c =>
    {
        Execute(
            c,
            "UPDATE calls SET reply = $reply, failure = $failure, detail = $detail, tokens = $tokens, price = $price, seconds = $seconds, replied_at = $at, attempts = $attempts WHERE id = $id",
            ("$reply", reply.Raw?.GetRawText()), ("$failure", reply.Failure?.Code), ("$detail", reply.Failure?.Detail), ("$tokens", reply.TotalTokens), ("$price", reply.Price),
            ("$seconds", seconds), ("$at", date), ("$attempts", reply.Attempts), ("$id", call));
        for (int i = 0; i < preferences.Count; i++)
        {
            if (preferences[i] is { } preference)
            {
                Execute(c, "UPDATE pairs SET preference = $preference WHERE call = $call AND position = $position", ("$preference", preference), ("$call", call), ("$position", i));
            }
        }
    });

    /// <summary>Takes a judgment of another tool in, as if it had been asked for here.</summary>
    internal Task ImportAsync(string annotator, string identity, KeptPair pair, PairKey key, JsonElement? raw, double? preference, double? price, double? seconds, string date)
    {
        long call = NextCall();
        return _writer.WriteAsync(c =>
        {
            Execute(
                c,
                "INSERT INTO calls (id, annotator, identity, sent_at, pairs, reply, failure, detail, price, seconds, replied_at) VALUES ($id, $annotator, $identity, $at, 1, $reply, $failure, $detail, $price, $seconds, $at)",
                ("$id", call), ("$annotator", annotator), ("$identity", identity), ("$at", date), ("$reply", raw?.GetRawText()),
                ("$failure", preference is null ? "imported" : null), ("$detail", preference is null ? "the imported file has no preference" : null), ("$price", price), ("$seconds", seconds));
            Insert(c, call, pair, key, preference, true);
        });
    }

    /// <summary>All pairs whose last reply says a preference, for export.</summary>
    internal IEnumerable<JsonRow> Rows(string? annotator, int? seed)
    {
        using var command = _reader.CreateCommand();
        command.CommandText = """
            SELECT p.instruction, p.input, p.output_1, p.output_2, p.annotator, p.preference, c.price / c.pairs, c.seconds / c.pairs, c.replied_at, c.reply
            FROM pairs p JOIN calls c ON c.id = p.call
            WHERE p.preference IS NOT NULL AND ($annotator IS NULL OR p.annotator = $annotator) AND p.seed IS $seed
              AND p.call = (SELECT max(call) FROM pairs q WHERE q.key = p.key)
            ORDER BY p.call, p.position
            """;
        command.Parameters.AddWithValue("$annotator", (object?)annotator ?? DBNull.Value);
        command.Parameters.AddWithValue("$seed", (object?)seed ?? DBNull.Value);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var row = new JsonRow();
            row.Set("instruction", reader.GetString(0));
            if (!reader.IsDBNull(1))
            {
                row.Set("input", reader.GetString(1));
            }

            row.Set("output_1", reader.GetString(2));
            row.Set("output_2", reader.GetString(3));
            row.Set("annotator", reader.GetString(4));
            row["preference"] = AnnotationRows.PreferenceValue(reader.GetDouble(5));
            row["preference_price_per_example"] = AnnotationRows.PreferenceValue(Real(reader, 6));
            row["preference_time_per_example"] = AnnotationRows.PreferenceValue(Real(reader, 7));
            row.Set("preference_date", reader.GetString(8));
            row["preference_raw_completion"] = reader.IsDBNull(9) ? JsonRow.Value<object?>(null) : Json(reader.GetString(9));
            yield return row;
        }
    }

    private static double? Real(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetDouble(column);

    private static JsonElement Json(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    private static void Insert(SqliteConnection connection, long call, KeptPair pair, PairKey key, double? preference, bool imported) => Execute(
        connection,
        "INSERT OR REPLACE INTO pairs (key, call, position, switched, seed, annotator, instruction, input, output_1, output_2, preference, imported) VALUES ($key, $call, $position, $switched, $seed, $annotator, $instruction, $input, $output1, $output2, $preference, $imported)",
        ("$key", key.ToArray()), ("$call", call), ("$position", pair.Position), ("$switched", pair.IsSwitched), ("$seed", pair.Seed), ("$annotator", pair.Annotator),
        ("$instruction", pair.Instruction), ("$input", pair.Input), ("$output1", pair.Output1), ("$output2", pair.Output2), ("$preference", preference), ("$imported", imported));

    private static void Execute(SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        command.ExecuteNonQuery();
    }

    private static string Now() => DateTime.Now.ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture);

    private static FileStream Lock(string path, string full)
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(full)!);
            return new FileStream(full + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new BadInputException($"The journal {path} cannot be written: permission denied.", e);
        }
        catch (IOException e) when (File.Exists(full + ".lock"))
        {
            throw new BadInputException($"The journal {path} is in use by another run: wait until that ends, or give another --journal.", e);
        }
        catch (IOException e)
        {
            throw new BadInputException($"The journal {path} cannot be written: {e.Message.TrimEnd('.')}.", e);
        }
    }

    private static SqliteConnection Connect(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false, DefaultTimeout = 30 }.ToString());
        connection.Open();
        return connection;
    }

    private static void Prepare(string path, SqliteConnection connection)
    {
        Execute(connection, "PRAGMA journal_mode = WAL");
        // A reply is money: it must be on the disk, not on its way there.
        Execute(connection, "PRAGMA synchronous = FULL");
        using var version = connection.CreateCommand();
        version.CommandText = "PRAGMA user_version";
        long layout = Convert.ToInt64(version.ExecuteScalar(), CultureInfo.InvariantCulture);
        using var tables = connection.CreateCommand();
        tables.CommandText = "SELECT count(*) FROM sqlite_master";
        bool isEmpty = Convert.ToInt64(tables.ExecuteScalar(), CultureInfo.InvariantCulture) == 0;
        if (layout != LayoutVersion && !(layout == 0 && isEmpty))
        {
            throw new BadInputException(layout > LayoutVersion ? $"The journal {path} was written by a later version of Farm." : $"{path} is a database, but no journal of annotations.");
        }

        Execute(connection, $"""
            CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, began_at TEXT NOT NULL, ended_at TEXT);
            CREATE TABLE IF NOT EXISTS calls (
              id INTEGER PRIMARY KEY, annotator TEXT NOT NULL, identity TEXT NOT NULL, request TEXT, sent_at TEXT NOT NULL, pairs INTEGER NOT NULL,
              reply TEXT, failure TEXT, detail TEXT, tokens REAL, price REAL, seconds REAL, replied_at TEXT, attempts INTEGER);
            CREATE TABLE IF NOT EXISTS pairs (
              key BLOB NOT NULL, call INTEGER NOT NULL REFERENCES calls(id), position INTEGER NOT NULL, switched INTEGER NOT NULL, seed INTEGER, annotator TEXT NOT NULL,
              instruction TEXT NOT NULL, input TEXT, output_1 TEXT NOT NULL, output_2 TEXT NOT NULL, preference REAL, imported INTEGER NOT NULL, PRIMARY KEY (key, call)) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS pairs_by_call ON pairs (call);
            PRAGMA user_version = {LayoutVersion};
            """);
    }
}

/// <summary>A pair of a request, as the journal keeps it. Its key is what it is found under; null for the dummy that fills a batch.</summary>
internal sealed record KeptPair(PairKey? Key, int Position, bool IsSwitched, int? Seed, string Annotator, string Instruction, string? Input, string Output1, string Output2);

/// <summary>What a journal knows of a pair.</summary>
internal sealed record KeptReply(
    JsonElement? Raw, JudgeFailure? Failure, double? Tokens, double? Price, double? Seconds, string Date, int Pairs, int Position, bool IsSwitched, double? Preference, bool IsImported);
