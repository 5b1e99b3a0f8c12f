using Farm.Core;

namespace Farm.Annotation.Completions;

/// <summary>What a run has spent, and what it may spend at most.</summary>
public sealed class CostLedger(double? maxCost = null)
{
    private readonly Lock _lock = new();
    private double _spent, _reserved, _tokens, _dearest;
    private long _requests;

    /// <summary>The limit in US dollars, null for none.</summary>
    public double? MaxCost => maxCost;

    /// <summary>US dollars, of the requests whose price is known.</summary>
    public double Spent
    {
        get
        {
            lock (_lock)
            {
                return _spent;
            }
        }
    }

    /// <summary>Tokens of prompts and replies.</summary>
    public double Tokens
    {
        get
        {
            lock (_lock)
            {
                return _tokens;
            }
        }
    }

    /// <summary>Requests that were sent, whatever became of them.</summary>
    public long Requests
    {
        get
        {
            lock (_lock)
            {
                return _requests;
            }
        }
    }

    /// <summary>Sets money aside for a request: the estimate, or what the dearest request so far cost.</summary>
    /// <returns>What was set aside.</returns>
    /// <exception cref="CostLimitException">The request could go beyond the limit.</exception>
    internal double Reserve(double estimate)
    {
        lock (_lock)
        {
            estimate = Math.Max(estimate, _dearest);
            if (maxCost is { } limit && _spent + _reserved + estimate > limit)
            {
                throw new CostLimitException(limit, _spent);
            }

            _reserved += estimate;
            _requests++;
            return estimate;
        }
    }

    /// <summary>Books a request that was reserved.</summary>
    internal void Book(double reserved, double? price, double? tokens)
    {
        lock (_lock)
        {
            _reserved -= reserved;
            _dearest = Math.Max(_dearest, price ?? 0);
            _spent += price ?? 0;
            _tokens += tokens ?? 0;
        }
    }

    /// <summary>Gives back what was set aside for a request that was not sent.</summary>
    internal void Return(double reserved)
    {
        lock (_lock)
        {
            _reserved -= reserved;
            _requests--;
        }
    }

    /// <summary>A limit needs a price.</summary>
    /// <exception cref="BadInputException">There is a limit and no price.</exception>
    internal void RequirePrice(string judge, string? model, double? price)
    {
        if (maxCost is not null && price is null)
        {
            throw new BadInputException($"The price of the model '{model}' of annotator '{judge}' is not known, so --max-cost cannot be kept: set price_per_token in its completions_kwargs.");
        }
    }
}

/// <summary>A run stopped because it could have spent more than it may.</summary>
public sealed class CostLimitException(double limit, double spent)
    : Exception(FormattableString.Invariant($"The next request could go beyond the limit of {limit:0.####} US dollars; {spent:0.####} are spent."))
{
    /// <summary>The limit in US dollars.</summary>
    public double Limit => limit;

    /// <summary>What was spent when the run stopped; requests still in flight come on top.</summary>
    public double Spent => spent;
}
