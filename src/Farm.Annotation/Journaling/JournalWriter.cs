using System.Collections.Concurrent;

namespace Farm.Annotation.Journaling;

/// <summary>
/// The one thread that writes to a journal. It takes all that waits into one transaction, so that many requests in flight share the price of
/// reaching the disk.
/// </summary>
internal sealed class JournalWriter : IDisposable
{
    private const int MostInOne = 1024;
    private readonly JournalConnection _connection;
    private readonly BlockingCollection<(Action<JournalConnection> Write, TaskCompletionSource Done)> _waiting = [];
    private readonly Thread _thread;

    public JournalWriter(JournalConnection connection)
    {
        _connection = connection;
        _thread = new Thread(Run) { IsBackground = true, Name = "journal" };
        _thread.Start();
    }

    /// <summary>Ends when what is written is on the disk.</summary>
    public Task WriteAsync(Action<JournalConnection> write)
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
        var batch = new List<(Action<JournalConnection> Write, TaskCompletionSource Done)>();
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
                _connection.InTransaction(() => batch.ForEach(b => b.Write(_connection)));
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
