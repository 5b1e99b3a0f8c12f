using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Inference;

/// <summary>
/// Runs sequences of any length through a model in passes of at most the workspace's rows: short ones ride together, long ones are cut
/// into chunks. The hidden state after each sequence's last token is copied to a row of the output. Used to prefill prompts and to score.
/// </summary>
internal sealed class SequencePacker(LlamaModel model, LlamaWorkspace workspace, ForwardBatch batch)
{
    private readonly List<(int Row, int OutputRow)> _finished = [];
    private KvPool? _pool;
    private Tensor _output;
    private CancellationToken _cancellation;
    private int[]? _groupPages;
    private int _groupLength;
    private int _planPages;

    /// <summary>Passes run since construction.</summary>
    public long Passes { get; private set; }

    /// <summary>Starts packing; results go to rows of <paramref name="output"/>, F32 [rows, H].</summary>
    public void Begin(KvPool pool, Tensor output, CancellationToken cancellation)
    {
        _pool = pool;
        _output = output;
        _cancellation = cancellation;
        Clear();
    }

    /// <summary>
    /// Adds <paramref name="tokens"/>, which follow the first <paramref name="prefixLength"/> tokens in <paramref name="prefixPages"/>
    /// and go to <paramref name="pages"/>. Sequences that share a prefix are added one after another.
    /// </summary>
    public void Add(int[] prefixPages, int prefixLength, ReadOnlySpan<int> tokens, ReadOnlySpan<int> pages, int outputRow)
    {
        int done = 0;
        while (done < tokens.Length)
        {
            int pagesNeeded = KvPool.PagesFor(tokens.Length) + KvPool.PagesFor(prefixLength);
            if (batch.Rows == batch.MaxRows || batch.Plan.Sequences == batch.MaxSequences || _planPages + pagesNeeded > batch.MaxPages)
            {
                Run();
            }

            // Without a shared prefix every sequence is a group of its own.
            if (batch.Rows == 0 || prefixLength == 0 || !ReferenceEquals(prefixPages, _groupPages) || prefixLength != _groupLength)
            {
                batch.BeginGroup(prefixLength, prefixPages);
                _groupPages = prefixPages;
                _groupLength = prefixLength;
            }

            int take = Math.Min(batch.MaxRows - batch.Rows, tokens.Length - done);
            batch.Add(tokens.Slice(done, take), done + take, pages);
            _planPages += pagesNeeded;
            done += take;
        }

        if (tokens.Length > 0)
        {
            _finished.Add((batch.Rows - 1, outputRow));
        }
    }

    /// <summary>Runs what is left.</summary>
    public void End()
    {
        if (batch.Rows > 0)
        {
            Run();
        }
    }

    private void Run()
    {
        _cancellation.ThrowIfCancellationRequested();
        var hidden = model.Forward(batch, _pool!, workspace);
        foreach (var (row, outputRow) in _finished)
        {
            model.Backend.Copy(hidden.SliceRows(row, 1), _output.SliceRows(outputRow, 1));
        }

        Passes++;
        Clear();
    }

    private void Clear()
    {
        batch.Clear();
        _finished.Clear();
        _planPages = 0;
        _groupPages = null;
    }
}
