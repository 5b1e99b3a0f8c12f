using Farm.Core;

namespace Farm.Conformance;

/// <summary>The same operand on the backend under test and on the reference.</summary>
public sealed class Twin
{
    /// <summary>Value of the cells beside a strided operand; no operation may change them.</summary>
    public const float Guard = 7.625f;

    internal Twin(Rig rig, DType type, int rows, int columns, int left, int right)
    {
        Whole = (Create(rig.Actual), Create(rig.Expected));
        (DType, Rows, Columns, Left, Right) = (type, rows, columns, left, right);

        Tensor Create(IBackend backend)
        {
            var memory = backend.Allocate(Math.Max(64, (long)rows * (left + columns + right) * type.Size()));
            rig.Own(memory);
            return memory.Tensor(type, rows, left + columns + right);
        }
    }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; }

    /// <summary>Columns of the operand itself.</summary>
    public int Columns { get; }

    internal int Left { get; }

    internal int Right { get; }

    internal (Tensor Actual, Tensor Expected) Whole { get; }

    internal Tensor Actual => Whole.Actual.SliceColumns(Left, Columns);

    internal Tensor Expected => Whole.Expected.SliceColumns(Left, Columns);
}

/// <summary>One of the two backends with its half of every operand.</summary>
public sealed class Side(IBackend backend, bool actual)
{
    /// <summary>The backend.</summary>
    public IBackend Backend { get; } = backend;

    /// <summary>This side's half of an operand; none for null.</summary>
    public Tensor this[Twin? twin] => twin is null ? default : actual ? twin.Actual : twin.Expected;

    /// <summary>This side's half of a packed weight.</summary>
    public LinearWeight this[(LinearWeight Actual, LinearWeight Expected) weight] => actual ? weight.Actual : weight.Expected;

    /// <summary>This side's half of a pool.</summary>
    public KvPool this[(KvPool Actual, KvPool Expected) pool] => actual ? pool.Actual : pool.Expected;
}
