namespace Farm.Training.Model;

/// <summary>Sequences one after another without padding: the rows of one forward and backward pass.</summary>
public sealed class PackedBatch
{
    private readonly List<int> _ids = [], _positions = [], _starts = [0];

    /// <summary>Token ids of the rows.</summary>
    public IReadOnlyList<int> Ids => _ids;

    /// <summary>Position of each row in its sequence.</summary>
    public IReadOnlyList<int> Positions => _positions;

    /// <summary>First row of each sequence, and the number of rows at the end.</summary>
    public IReadOnlyList<int> Starts => _starts;

    /// <summary>Rows.</summary>
    public int Rows => _ids.Count;

    /// <summary>Sequences.</summary>
    public int Sequences => _starts.Count - 1;

    /// <summary>Names the update and the pass that this batch is, which key what is random in the model.</summary>
    public (int Step, int Pass) Key { get; set; }

    /// <summary>Empties the batch.</summary>
    public void Clear()
    {
        _ids.Clear();
        _positions.Clear();
        _starts.Clear();
        _starts.Add(0);
    }

    /// <summary>Adds a sequence; returns its first row.</summary>
    /// <exception cref="ArgumentException">The sequence is empty.</exception>
    public int Add(ReadOnlySpan<int> sequence)
    {
        if (sequence.IsEmpty)
        {
            throw new ArgumentException("a sequence has no tokens", nameof(sequence));
        }

        int first = Rows;
        for (int i = 0; i < sequence.Length; i++)
        {
            _ids.Add(sequence[i]);
            _positions.Add(i);
        }

        _starts.Add(Rows);
        return first;
    }
}
