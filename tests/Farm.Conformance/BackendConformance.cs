using Farm.Core;

namespace Farm.Conformance;

/// <summary>
/// Every operation of <see cref="IBackend"/> against the float64 reference. A test project derives one class for each backend and
/// instruction set. Any number of rows from 0, any number of columns from 1 and any even head width are within the contract.
/// </summary>
public abstract partial class BackendConformance : IDisposable
{
    // One backend for the many small calls of a test.
    private IBackend? _shared;

    protected static readonly int[] RowCounts = [0, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 64, 65, 100, 130];
    protected static readonly int[] Widths = [1, 2, 7, 16, 31, 48, 63, 64, 65, 100, 192, 257, 1000];
    protected static readonly int[] HeadDims = [2, 16, 24, 32, 64, 80, 100, 128];

    /// <inheritdoc/>
    public void Dispose()
    {
        _shared?.Dispose();
        _shared = null;
        GC.SuppressFinalize(this);
    }

    /// <summary>The backend under test, with so many threads.</summary>
    protected abstract IBackend CreateBackend(int threads);

    /// <summary>The backend under test.</summary>
    protected virtual IBackend CreateBackend() => CreateBackend(2);

    private protected Rig NewRig() => new(CreateBackend());
}
