using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Farm.Annotation.Journaling;

/// <summary>
/// The one thread that writes to a journal. It takes all that waits into one transaction, so that many requests in flight share the price of
/// reaching the disk.
/// </summary>
internal sealed class JournalWriter : IDisposable
{
    private const int MostInOne = 1024;
    private readonly SqliteConnection _connection;
    private readonly BlockingCollection<(Action<SqliteConnection> Write, TaskCompletionSource Done)> _waiting = [];
    private readonly Thread _thread;

    public JournalWriter(SqliteConnection connection)
    {
        _connection = connection;
        _thread = new Thread(Run) { IsBackground = true, Name = "journal" };
        _thread.Start();
    }

    /// <summary>Ends when what is written is on the disk.</summary>
    public Task WriteAsync(Action<SqliteConnection> write)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting.Add((write, done));
        return done.Task;
    }

    public void Dispose()
    {
        _waiting.CompleteAdding();
        _thread.Join();
        _waiting.Dispose();
    }

    private void Run()
    {
        var batch = new List<(Action<SqliteConnection> Write, TaskCompletionSource Done)>();
        foreach (var first in _waiting.GetConsumingEnumerable())
        {
            batch.Clear();
            batch.Add(first);
            while (batch.Count < MostInOne && _waiting.TryTake(out var next))
            {
                batch.Add(next);
            }

            try
            {
                using var transaction = _connection.BeginTransaction(deferred: false);
                foreach (var (write, _) in batch)
                {
                    write(_connection);
                }

                transaction.Commit();
                batch.ForEach(b => b.Done.SetResult());
            }
            catch (Exception e)
            {
                // Whoever waits must hear that nothing was kept.
                batch.ForEach(b => b.Done.TrySetException(e));
            }
        }
    }
}
