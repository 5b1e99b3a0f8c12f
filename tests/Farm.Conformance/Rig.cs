using Farm.Core;
using Farm.Reference;

namespace Farm.Conformance;

/// <summary>
/// Runs one operation on a backend and on the reference with the same operands and compares what they wrote. Owns everything it
/// creates.
/// </summary>
public sealed class Rig : IDisposable
{
    private readonly Stack<IDisposable> _owned = new();

    /// <summary>Takes over <paramref name="backend"/>.</summary>
    public Rig(IBackend backend)
    {
        Actual = backend;
        Expected = new ReferenceBackend();
        Own(Actual);
        Own(Expected);
    }

    /// <summary>The backend under test.</summary>
    public IBackend Actual { get; }

    /// <summary>The reference.</summary>
    public IBackend Expected { get; }

    /// <summary>An F32 or BF16 operand with these values; <paramref name="pad"/> columns of a wider matrix lie on either side.</summary>
    public Twin Real(int rows, int columns, float[] values, int pad = 0, DType type = DType.F32)
    {
        ArgumentNullException.ThrowIfNull(values);
        var twin = new Twin(this, type, rows, columns, pad, pad == 0 ? 0 : pad + 1);
        float[] padded = Padded(twin, values, Twin.Guard);
        if (type == DType.BF16)
        {
            UploadBoth<ushort>(twin, Array.ConvertAll(padded, BFloat16.Bits));
        }
        else
        {
            UploadBoth<float>(twin, padded);
        }

        return twin;
    }

    /// <summary>An operand to be written, full of NaN before.</summary>
    public Twin Output(int rows, int columns, int pad = 0, DType type = DType.F32) =>
        Real(rows, columns, [.. Enumerable.Repeat(float.NaN, rows * columns)], pad, type);

    /// <summary>An I32 operand.</summary>
    public Twin Ints(int rows, int columns, int[] values)
    {
        var twin = new Twin(this, DType.I32, rows, columns, 0, 0);
        UploadBoth<int>(twin, values);
        return twin;
    }

    /// <summary>A row of integers.</summary>
    public Twin Ints(int[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Ints(1, values.Length, values);
    }

    /// <summary>The parts packed by both.</summary>
    public (LinearWeight Actual, LinearWeight Expected) Pack(IReadOnlyList<IRowSource> parts, DType storage,
        LinearLayout layout = LinearLayout.Concatenated)
    {
        var pair = (Actual.PackLinear(parts, storage, layout), Expected.PackLinear(parts, storage, layout));
        Own(pair.Item1);
        Own(pair.Item2);
        return pair;
    }

    /// <summary>A pool on both.</summary>
    public (KvPool Actual, KvPool Expected) Pool(KvShape shape, int pages)
    {
        var pair = (Actual.CreateKvPool(shape, pages), Expected.CreateKvPool(shape, pages));
        Own(pair.Item1);
        Own(pair.Item2);
        return pair;
    }

    /// <summary>The operation on both.</summary>
    public void Run(Action<Side> operation)
    {
        ArgumentNullException.ThrowIfNull(operation);
        operation(new Side(Actual, actual: true));
        operation(new Side(Expected, actual: false));
    }

    /// <summary>What the backend under test holds, without the cells beside it.</summary>
    public float[] Got(Twin twin) => Values(Actual, Known(twin).Whole.Actual, twin, inner: true);

    /// <summary>What the reference holds.</summary>
    public float[] Want(Twin twin) => Values(Expected, Known(twin).Whole.Expected, twin, inner: true);

    /// <summary>The integers of the backend under test.</summary>
    public int[] GotInts(Twin twin) => Integers(Actual, Known(twin).Whole.Actual);

    /// <summary>The integers of the reference.</summary>
    public int[] WantInts(Twin twin) => Integers(Expected, Known(twin).Whole.Expected);

    /// <summary>
    /// Every element within the bound that <paramref name="tolerance"/> gives for its row, column and expected value; the cells
    /// beside the operand untouched. The message names operation, case, type, index, got and expected.
    /// </summary>
    public void Compare(string operation, Twin output, Func<int, int, float, double> tolerance)
    {
        ArgumentNullException.ThrowIfNull(tolerance);
        float[] got = Got(output), want = Want(output);
        for (int i = 0; i < got.Length; i++)
        {
            int row = i / output.Columns, column = i % output.Columns;
            double bound = tolerance(row, column, want[i]), error = Math.Abs((double)got[i] - want[i]);
            bool same = got[i].Equals(want[i]);
            if (!same && !(error <= bound))
            {
                Assert.Fail($"{operation}: {output.DType.Name()}[{output.Rows}, {output.Columns}] at [{row}, {column}]: " +
                    $"got {got[i]:R}, expected {want[i]:R}, error {error:G3} above {bound:G3}");
            }
        }

        CheckGuards(operation, output);
    }

    /// <summary>Every element bit for bit as in the reference; any NaN equals any NaN.</summary>
    public void CompareExactly(string operation, Twin output)
    {
        float[] got = Got(output), want = Want(output);
        for (int i = 0; i < got.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(got[i]) != BitConverter.SingleToInt32Bits(want[i]) &&
                !(float.IsNaN(got[i]) && float.IsNaN(want[i])))
            {
                Assert.Fail($"{operation}: {output.DType.Name()}[{output.Rows}, {output.Columns}] " +
                    $"at [{i / output.Columns}, {i % output.Columns}]: " +
                    $"got {got[i]:R}, expected {want[i]:R} exactly");
            }
        }

        CheckGuards(operation, output);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_owned.TryPop(out var item))
        {
            item.Dispose();
        }
    }

    internal void Own(IDisposable item) => _owned.Push(item);

    private static Twin Known(Twin twin)
    {
        ArgumentNullException.ThrowIfNull(twin);
        return twin;
    }

    private static float[] Padded(Twin twin, float[] values, float guard)
    {
        int width = twin.Left + twin.Columns + twin.Right;
        var padded = new float[twin.Rows * width];
        Array.Fill(padded, guard);
        for (int t = 0; t < twin.Rows; t++)
        {
            values.AsSpan(t * twin.Columns, twin.Columns).CopyTo(padded.AsSpan((t * width) + twin.Left));
        }

        return padded;
    }

    private static float[] Values(IBackend backend, Tensor whole, Twin twin, bool inner)
    {
        float[] all;
        if (twin.DType == DType.BF16)
        {
            var bits = new ushort[whole.Count];
            backend.Download(whole, bits.AsSpan());
            all = Array.ConvertAll(bits, BFloat16.Value);
        }
        else
        {
            all = new float[whole.Count];
            backend.Download(whole, all.AsSpan());
        }

        if (!inner || twin.Left + twin.Right == 0)
        {
            return all;
        }

        var values = new float[twin.Rows * twin.Columns];
        for (int t = 0; t < twin.Rows; t++)
        {
            all.AsSpan((t * whole.Columns) + twin.Left, twin.Columns).CopyTo(values.AsSpan(t * twin.Columns));
        }

        return values;
    }

    private static int[] Integers(IBackend backend, Tensor whole)
    {
        var values = new int[whole.Count];
        backend.Download(whole, values.AsSpan());
        return values;
    }

    private void UploadBoth<T>(Twin twin, T[] values)
        where T : unmanaged
    {
        Actual.Upload<T>(values, twin.Whole.Actual);
        Expected.Upload<T>(values, twin.Whole.Expected);
    }

    private void CheckGuards(string operation, Twin twin)
    {
        if (twin.Left + twin.Right == 0)
        {
            return;
        }

        float[] all = Values(Actual, twin.Whole.Actual, twin, inner: false);
        int width = twin.Whole.Actual.Columns;
        for (int i = 0; i < all.Length; i++)
        {
            int column = i % width;
            if ((column < twin.Left || column >= twin.Left + twin.Columns) && all[i] != Twin.Guard)
            {
                Assert.Fail($"{operation}: the cell [{i / width}, {column}] beside the output (columns {twin.Left} to " +
                    $"{twin.Left + twin.Columns - 1}) became {all[i]:R}");
            }
        }
    }
}
