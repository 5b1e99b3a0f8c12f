using System.Globalization;
using Farm.Core;
using Microsoft.Data.Sqlite;

namespace Farm.Annotation.Journaling;

/// <summary>
/// The SQLite file behind every journal: calls with their requests and replies, and what they were about. One run has it at a time; what others see
/// is whole.
/// </summary>
internal sealed class JournalFile : IDisposable
{
    private const int LayoutVersion = 2;
    private readonly FileStream _lock;
    private readonly JournalConnection _reader;
    private readonly JournalConnection _writerConnection;
    private readonly JournalWriter _writer;
    private readonly Lock _readLock = new();
    private long _lastCall;

    private JournalFile(string path, FileStream fileLock, JournalConnection reader, JournalConnection writer)
    {
        (Path, _lock, _reader, _writerConnection) = (path, fileLock, reader, writer);
        _lastCall = Convert.ToInt64(reader.Scalar("SELECT coalesce(max(id), 0) FROM calls"), CultureInfo.InvariantCulture);
        _writer = new JournalWriter(writer);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The time as journals say it.</summary>
    public static string Now() => DateTime.Now.ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture);

    /// <summary>Opens a file, making it where there is none.</summary>
    /// <exception cref="BadInputException">Another run has it, or the file is no journal or cannot be written.</exception>
    public static JournalFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string full = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(full))
        {
            throw new BadInputException($"The journal {path} is a folder, not a file.");
        }

        var fileLock = Lock(path, full);
        JournalConnection? writer = null, reader = null;
        try
        {
            writer = JournalConnection.Open(full, SqliteOpenMode.ReadWriteCreate);
            Prepare(path, writer);
            reader = JournalConnection.Open(full, SqliteOpenMode.ReadOnly);
            return new JournalFile(path, fileLock, reader, writer);
        }
        catch (Exception e)
        {
            reader?.Dispose();
            writer?.Dispose();
            fileLock.Dispose();
            if (e is SqliteException sqlite)
            {
                throw new BadInputException($"{path} is no journal of annotations: {sqlite.Message.ReplaceLineEndings(" ").TrimEnd('.')}; name another file.", e);
            }

            throw;
        }
    }

    /// <summary>A number for a new request.</summary>
    public long NextCall() => Interlocked.Increment(ref _lastCall);

    /// <summary>Reads, one reader at a time.</summary>
    public T Read<T>(Func<JournalConnection, T> read)
    {
        lock (_readLock)
        {
            return read(_reader);
        }
    }

    /// <summary>Writes; ends when what is written is on the disk.</summary>
    /// <exception cref="BadInputException">The file cannot be written.</exception>
    public async Task WriteAsync(Action<JournalConnection> write)
    {
        try
        {
            await _writer.WriteAsync(write).ConfigureAwait(false);
        }
        catch (SqliteException e)
        {
            throw new BadInputException($"The journal {Path} cannot be written: {e.Message.ReplaceLineEndings(" ").TrimEnd('.')}; the run stops before it pays for replies that it cannot keep.", e);
        }
    }

    /// <summary>Closes the file and lets others have it.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        _reader.Dispose();
        _writerConnection.Dispose();
        _lock.Dispose();
    }

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

    private static void Prepare(string path, JournalConnection connection)
    {
        long layout = Convert.ToInt64(connection.Scalar("PRAGMA user_version"), CultureInfo.InvariantCulture);
        bool isEmpty = Convert.ToInt64(connection.Scalar("SELECT count(*) FROM sqlite_master"), CultureInfo.InvariantCulture) == 0;
        if (layout is < 1 or > LayoutVersion && !(layout == 0 && isEmpty))
        {
            throw new BadInputException(layout > LayoutVersion ? $"The journal {path} was written by a later version of Farm." : $"{path} is a database, but no journal of annotations.");
        }

        // A reply is money: it must be on the disk, not on its way there.
        connection.Script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
        connection.Script($"""
            CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, began_at TEXT NOT NULL, ended_at TEXT);
            CREATE TABLE IF NOT EXISTS calls (
              id INTEGER PRIMARY KEY, annotator TEXT NOT NULL, identity TEXT NOT NULL, request TEXT, sent_at TEXT NOT NULL, pairs INTEGER NOT NULL,
              reply TEXT, failure TEXT, detail TEXT, tokens REAL, price REAL, seconds REAL, replied_at TEXT, attempts INTEGER);
            CREATE TABLE IF NOT EXISTS pairs (
              key BLOB NOT NULL, call INTEGER NOT NULL REFERENCES calls(id), position INTEGER NOT NULL, switched INTEGER NOT NULL, seed INTEGER, annotator TEXT NOT NULL,
              instruction TEXT NOT NULL, input TEXT, output_1 TEXT NOT NULL, output_2 TEXT NOT NULL, preference REAL, imported INTEGER NOT NULL, PRIMARY KEY (key, call)) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS pairs_by_call ON pairs (call);
            CREATE TABLE IF NOT EXISTS prompts (key BLOB NOT NULL, call INTEGER NOT NULL REFERENCES calls(id), PRIMARY KEY (key, call)) WITHOUT ROWID;
            PRAGMA user_version = {LayoutVersion};
            """);
    }
}
