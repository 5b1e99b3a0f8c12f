using System.Runtime.CompilerServices;

namespace Farm.Core;

/// <summary>
/// What every backend requires of an operation's arguments. The token loop passes here: the checks allocate nothing unless they throw.
/// </summary>
public static class TensorChecks
{
    /// <summary>Requires a condition.</summary>
    /// <param name="condition">What must hold.</param>
    /// <param name="operation">The operation, for the message.</param>
    /// <param name="rule">The condition in words.</param>
    /// <param name="parameter">The argument that breaks it.</param>
    /// <exception cref="ArgumentException">It does not hold.</exception>
    public static void Require(bool condition, string operation, string rule, string parameter)
    {
        if (!condition)
        {
            throw new ArgumentException($"{operation}: {rule}.", parameter);
        }
    }

    /// <summary>Requires F32 [<paramref name="rows"/>, <paramref name="columns"/>], rows perhaps further apart than they are wide.</summary>
    /// <exception cref="ArgumentException">The tensor is another.</exception>
    public static void RequireF32(Tensor tensor, int rows, int columns, string operation, string parameter)
    {
        if (tensor.DType != DType.F32 || tensor.Rows != rows || tensor.Columns != columns || tensor.Stride < columns || (tensor.IsNone && tensor.Count > 0))
        {
            throw new ArgumentException($"{operation}: expected f32[{rows}, {columns}], got {tensor}.", parameter);
        }
    }

    /// <summary>Requires F32 [1, <paramref name="count"/>] of each.</summary>
    /// <exception cref="ArgumentException">A tensor is another.</exception>
    public static void RequireVectors(string operation, int count, params ReadOnlySpan<(Tensor Tensor, string Name)> vectors)
    {
        foreach (var (tensor, name) in vectors)
        {
            RequireF32(tensor, 1, count, operation, name);
        }
    }

    /// <summary>Requires <paramref name="count"/> contiguous elements of I32.</summary>
    /// <exception cref="ArgumentException">The tensor is another.</exception>
    public static void RequireI32(Tensor tensor, int count, string operation, string parameter)
    {
        if (tensor.DType != DType.I32 || tensor.Count != count || !tensor.IsContiguous || (tensor.IsNone && count > 0))
        {
            throw new ArgumentException($"{operation}: expected i32[1, {count}], got {tensor}.", parameter);
        }
    }

    /// <summary>Requires that <paramref name="count"/> elements fill a contiguous tensor.</summary>
    /// <exception cref="ArgumentException">They do not.</exception>
    public static void RequireSameSize<T>(int count, Tensor tensor)
        where T : unmanaged
    {
        if (!tensor.IsContiguous || (long)count * Unsafe.SizeOf<T>() != tensor.Bytes)
        {
            throw new ArgumentException($"{count} elements of {Unsafe.SizeOf<T>()} bytes do not fill {tensor} exactly.", nameof(tensor));
        }
    }

    /// <summary>Requires that a pool holds such heads and has the layer.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    public static void RequirePoolShape(KvPool pool, int kvHeads, int headDim, int layer, string operation)
    {
        if (pool.Shape.KeyValueHeads != kvHeads || pool.Shape.HeadDim != headDim)
        {
            throw new ArgumentException($"{operation}: the pool holds {pool.Shape.KeyValueHeads} heads of {pool.Shape.HeadDim}, not {kvHeads} of {headDim}.", nameof(pool));
        }

        if (layer < 0 || layer >= pool.Shape.Layers)
        {
            throw new ArgumentException($"{operation}: there is no layer {layer}.", nameof(layer));
        }
    }
}
