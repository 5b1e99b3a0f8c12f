using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Farm.Annotation.Tests.Support;

/// <summary>What the fake server answers.</summary>
internal sealed record FakeAnswer(int Status, string Body)
{
    public string Headers { get; init; } = string.Empty;

    public TimeSpan Delay { get; init; }

    /// <summary>Bytes of the body that are sent before the connection is cut; null for all.</summary>
    public int? CutAt { get; init; }

    /// <summary>True where nothing is ever answered.</summary>
    public bool IsSilent { get; init; }

    public static FakeAnswer Error(int status, string message, string code = "") =>
        new(status, $$$"""{"error":{"message":"{{{message}}}","code":"{{{code}}}"}}""");

    /// <summary>A chat completion.</summary>
    public static FakeAnswer Chat(string content, int tokens = 100) =>
        new(200, $$$"""{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":{{{System.Text.Json.JsonSerializer.Serialize(content)}}}}}],"usage":{"total_tokens":{{{tokens.ToString(CultureInfo.InvariantCulture)}}}}}""");
}

/// <summary>A small HTTP server on 127.0.0.1 that plays an OpenAI-compatible one.</summary>
internal sealed class FakeJudgeServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<string, string, FakeAnswer> _answer;
    private int _requests;

    /// <summary>Starts it.</summary>
    /// <param name="answer">Path and body of a request to the answer.</param>
    public FakeJudgeServer(Func<string, string, FakeAnswer> answer)
    {
        _answer = answer;
        _listener.Start(512);
        _ = Task.Run(AcceptAsync);
    }

    public FakeJudgeServer(Func<string, FakeAnswer> answer)
        : this((_, body) => answer(body))
    {
    }

    public string BaseUrl => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>The heads of the requests, for tests of what is sent.</summary>
    public ConcurrentQueue<string> Heads { get; } = [];

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Stop();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync(_stop.Token);
            }
            catch (Exception)
            {
                return;
            }

            _ = Task.Run(() => ServeAsync(client));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        client.NoDelay = true;
        var stream = client.GetStream();
        byte[] buffer = new byte[1 << 16];
        int have = 0;
        try
        {
            while (true)
            {
                int end;
                while ((end = buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8)) < 0)
                {
                    int read = await stream.ReadAsync(buffer.AsMemory(have), _stop.Token);
                    if (read == 0)
                    {
                        return;
                    }

                    have += read;
                }

                string head = Encoding.ASCII.GetString(buffer, 0, end);
                string length = head.Split("\r\n").First(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
                int size = int.Parse(length.AsSpan(length.IndexOf(':', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture);
                int total = end + 4 + size;
                if (buffer.Length < total)
                {
                    Array.Resize(ref buffer, total);
                }

                while (have < total)
                {
                    int read = await stream.ReadAsync(buffer.AsMemory(have), _stop.Token);
                    if (read == 0)
                    {
                        return;
                    }

                    have += read;
                }

                string body = Encoding.UTF8.GetString(buffer, end + 4, size);
                buffer.AsSpan(total, have - total).CopyTo(buffer);
                have -= total;
                Interlocked.Increment(ref _requests);
                if (Heads.Count < 100)
                {
                    Heads.Enqueue(head);
                }

                var answer = _answer(head.Split(' ')[1], body);
                if (answer.IsSilent)
                {
                    await Task.Delay(Timeout.Infinite, _stop.Token);
                }

                if (answer.Delay > TimeSpan.Zero)
                {
                    await Task.Delay(answer.Delay, _stop.Token);
                }

                byte[] content = Encoding.UTF8.GetBytes(answer.Body);
                byte[] reply = [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {answer.Status} X\r\nContent-Type: application/json\r\nContent-Length: {content.Length}\r\n{answer.Headers}\r\n"), .. content.AsSpan(0, answer.CutAt ?? content.Length)];
                await stream.WriteAsync(reply, _stop.Token);
                if (answer.CutAt is not null)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // The client went away.
        }
    }
}
