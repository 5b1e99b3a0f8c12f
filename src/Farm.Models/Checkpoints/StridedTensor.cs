using System.Buffers;

namespace Farm.Models.Checkpoints;

/// <summary>
/// A view of a storage with arbitrary strides (torch keeps transposes, slices and interleaved halves as such). Elements are visited
/// in the order they lie in the file, through a small window, so that a transpose costs no more than a pass over its storage.
/// </summary>
internal sealed class StridedTensor(CheckpointFile source, string name, StoredType type, long[] shape, long offset, long[] strides)
    : FileTensor(source, name, type, shape)
{
    private const int SmallestWindow = 4096, LargestWindow = 256 * 1024;

    /// <inheritdoc/>
    protected override void ReadRows(int firstRow, int count, Span<byte> destination)
    {
        long columnStride = Shape.Count == 0 ? 0 : strides[^1];
        bool rowsInside = Shape.Count == 2 && strides[0] < columnStride;
        long run = rowsInside ? count * strides[0] : Columns * columnStride;
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(run * ElementSize, SmallestWindow, LargestWindow));
        try
        {
            var window = new Window(Source, buffer, offset + (StorageElements() * ElementSize));
            if (rowsInside)
            {
                for (int c = 0; c < Columns; c++)
                {
                    for (int r = 0; r < count; r++)
                    {
                        long element = ((firstRow + r) * strides[0]) + (c * columnStride);
                        window.Copy(offset + (element * ElementSize), Slot(destination, r, c));
                    }
                }
            }
            else
            {
                for (int r = 0; r < count; r++)
                {
                    long start = RowStart(firstRow + r);
                    for (int c = 0; c < Columns; c++)
                    {
                        window.Copy(offset + ((start + (c * columnStride)) * ElementSize), Slot(destination, r, c));
                    }
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private Span<byte> Slot(Span<byte> destination, int row, int column) =>
        destination.Slice((int)((((long)row * Columns) + column) * ElementSize), ElementSize);

    // Elements from the view's first to past its last one.
    private long StorageElements()
    {
        long last = 0;
        for (int i = 0; i < Shape.Count; i++)
        {
            last += (Shape[i] - 1) * strides[i];
        }

        return last + 1;
    }

    private long RowStart(long row)
    {
        long element = 0;
        for (int i = Shape.Count - 2; i >= 0; i--)
        {
            (row, long index) = Math.DivRem(row, Shape[i]);
            element += index * strides[i];
        }

        return element;
    }

    /// <summary>A piece of the file that moves forward as elements are asked for.</summary>
    private ref struct Window(CheckpointFile file, byte[] buffer, long end)
    {
        private long _start;
        private int _length;

        public void Copy(long position, Span<byte> element)
        {
            if (position < _start || position + element.Length > _start + _length)
            {
                _start = position;
                _length = (int)Math.Min(buffer.Length, end - position);
                file.Read(_start, buffer.AsSpan(0, _length));
            }

            buffer.AsSpan((int)(position - _start), element.Length).CopyTo(element);
        }
    }
}
