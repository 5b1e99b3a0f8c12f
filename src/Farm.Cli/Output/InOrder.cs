namespace Farm.Cli.Output;

/// <summary>Hands on items in the order of their places, holding back those that come early.</summary>
internal sealed class InOrder<T>(Action<T> next)
{
    private readonly Dictionary<int, T> _early = [];
    private int _place;

    /// <summary>Takes the item of a place, counted from 0.</summary>
    public void Add(int place, T item)
    {
        _early.Add(place, item);
        while (_early.Remove(_place, out var following))
        {
            next(following);
            _place++;
        }
    }
}
