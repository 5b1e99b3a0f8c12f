using System.ClientModel;
using System.ClientModel.Primitives;
using Farm.Core;
using OpenAI;

namespace Farm.Annotation.Completions;

/// <summary>
/// The accounts of a model, taken in turn. One that a server limits rests as long as the server says, or for a while that doubles, and the others go
/// on; one that has no quota left is not taken again.
/// </summary>
internal sealed class AccountPool
{
    private readonly Lock _lock = new();
    private readonly Seat[] _seats;
    private readonly OpenAiOptions _options;
    private readonly long _start;
    private int _turn;

    public AccountPool(IReadOnlyList<OpenAiAccount> accounts, OpenAiOptions options, HttpClientPipelineTransport transport)
    {
        if (accounts.Count == 0)
        {
            throw new BadInputException($"{OpenAiOptions.KeyVariable} is not set: there is no key to ask with.");
        }

        _options = options;
        _start = options.Clock.GetTimestamp();
        _seats = [.. accounts.Select(a => new Seat(a, Pipeline(a, transport)))];
    }

    /// <summary>How many there are.</summary>
    public int Count => _seats.Length;

    private double Now => _options.Clock.GetElapsedTime(_start).TotalSeconds;

    /// <summary>The next account that does not rest, or the one that rests least long.</summary>
    public Seat Take()
    {
        lock (_lock)
        {
            double now = Now;
            Seat? best = null;
            for (int i = 0; i < _seats.Length; i++)
            {
                var seat = _seats[(_turn + i) % _seats.Length];
                if (!seat.IsSpent && (best is null || (best.RestsUntil > now && seat.RestsUntil < best.RestsUntil)))
                {
                    best = seat;
                }
            }

            _turn = (_turn + 1) % _seats.Length;
            return best ?? _seats[_turn];
        }
    }

    /// <summary>The server limits an account.</summary>
    /// <returns>When the next request may be sent, null where the caller's own back-off decides.</returns>
    public TimeSpan? Limit(Seat seat, TimeSpan? retryAfter)
    {
        if (Count == 1)
        {
            return retryAfter;
        }

        lock (_lock)
        {
            var doubled = _options.RetryDelay * Math.Pow(2, Math.Min(seat.Limits++, 20));
            var rest = retryAfter ?? doubled;
            seat.RestsUntil = Now + (rest < _options.MaxRetryDelay ? rest : _options.MaxRetryDelay).TotalSeconds;
            return NextFree();
        }
    }

    /// <summary>An account has no quota left.</summary>
    /// <returns>When the next request may be sent by another, null where there is none.</returns>
    public TimeSpan? Spend(Seat seat)
    {
        lock (_lock)
        {
            seat.IsSpent = true;
            return _seats.All(s => s.IsSpent) ? null : NextFree();
        }
    }

    /// <summary>An account was answered.</summary>
    public void Answered(Seat seat)
    {
        lock (_lock)
        {
            seat.Limits = 0;
        }
    }

    private TimeSpan NextFree() => TimeSpan.FromSeconds(Math.Max(0, _seats.Where(s => !s.IsSpent).Min(s => s.RestsUntil) - Now));

    // Retries and time limits are made once, by the client and not in its pipeline.
    private static ClientPipeline Pipeline(OpenAiAccount account, HttpClientPipelineTransport transport)
    {
        var retry = new ClientRetryPolicy(0);
        var credential = new ApiKeyCredential(account.ApiKey);
        if (account.Azure is { IsToken: false })
        {
            var options = new ClientPipelineOptions { Transport = transport, RetryPolicy = retry, NetworkTimeout = Timeout.InfiniteTimeSpan };
            return ClientPipeline.Create(options, [], [ApiKeyAuthenticationPolicy.CreateHeaderApiKeyPolicy(credential, "api-key")], []);
        }

        return new OpenAIClient(credential, new OpenAIClientOptions
        {
            Endpoint = account.Endpoint,
            OrganizationId = account.Organization,
            ProjectId = account.Project,
            Transport = transport,
            RetryPolicy = retry,
            NetworkTimeout = Timeout.InfiniteTimeSpan,
        }).Pipeline;
    }

    /// <summary>An account with what it needs to be asked.</summary>
    internal sealed class Seat(OpenAiAccount account, ClientPipeline pipeline)
    {
        public OpenAiAccount Account => account;

        public ClientPipeline Pipeline => pipeline;

        /// <summary>Seconds after the pool was made.</summary>
        public double RestsUntil { get; set; }

        /// <summary>Limits since the last answer.</summary>
        public int Limits { get; set; }

        public bool IsSpent { get; set; }
    }
}
