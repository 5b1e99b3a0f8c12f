namespace Farm.Core;

/// <summary>A matrix in a file or in memory that a backend reads by rows while it packs it.</summary>
public interface IRowSource
{
    /// <summary>Name for messages, e.g. the tensor's name in its checkpoint.</summary>
    string Name { get; }

    /// <summary>Number of rows: output features of a linear layer, entries of an embedding.</summary>
    int Rows { get; }

    /// <summary>Number of columns: input features.</summary>
    int Columns { get; }

    /// <summary>F32, BF16 or F16.</summary>
    DType DType { get; }

    /// <summary>Copies whole rows, row-major and contiguous, as little-endian bytes of <see cref="DType"/>.</summary>
    void Read(int firstRow, int count, Span<byte> destination);
}

/// <summary>How the parts of a packed weight lie beside each other.</summary>
public enum LinearLayout
{
    /// <summary>Output features in the order of the parts: q then k then v.</summary>
    Concatenated = 0,

    /// <summary>
    /// Two parts of equal shape, gate and up. The product's output is SwiGLU, silu(gate) * up, as wide as one part
    /// (Shazeer, "GLU Variants Improve Transformer", 2020).
    /// </summary>
    GateUp = 1,
}

/// <summary>The weight of a linear layer y = x W^T in the layout its backend multiplies fastest. Owned by whoever packed it.</summary>
public abstract class LinearWeight : IDisposable
{
    /// <summary>Width of the input.</summary>
    public abstract int InFeatures { get; }

    /// <summary>Width of the product's output; for <see cref="LinearLayout.GateUp"/> that of one of the two parts.</summary>
    public abstract int OutFeatures { get; }

    /// <summary>Storage type: F32, BF16 or I8.</summary>
    public abstract DType DType { get; }

    /// <summary>Arrangement of the parts.</summary>
    public abstract LinearLayout Layout { get; }

    /// <summary>Bytes held, scales and padding included; what one decode step streams.</summary>
    public abstract long Bytes { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the packed weight.</summary>
    protected abstract void Dispose(bool disposing);
}
