using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Writes safetensors files, a few rows at a time, so that a model of any size passes through a small buffer.</summary>
public static class SafetensorsWriter
{
    private const int ChunkBytes = 8 * 1024 * 1024, HeaderAlignment = 64;

    /// <summary>
    /// Writes a file whole or not at all. Wider element types come first, so that every element is aligned to its size; within a type the order
    /// is kept. Data begin at a multiple of 64 bytes.
    /// </summary>
    /// <param name="path">The file; its folder is created if need be.</param>
    /// <param name="tensors">Tensors of distinct names, read once, in that order.</param>
    /// <param name="metadata">Text for <c>__metadata__</c>; <c>format: pt</c> when null, which Hugging Face's loader asks for.</param>
    /// <param name="written">Told the bytes of data written, now and then; may be null.</param>
    /// <exception cref="BadInputException">The file cannot be written, e.g. the disk is full, or a tensor cannot be read.</exception>
    /// <exception cref="ArgumentException">Two tensors have one name.</exception>
    public static void Write(
        string path,
        IEnumerable<ICheckpointTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata = null,
        Action<long>? written = null)
    {
        var ordered = tensors.OrderByDescending(t => t.DType.Size()).ToList();
        if (ordered.Select(t => t.Name).Distinct().Count() != ordered.Count)
        {
            throw new ArgumentException("two tensors have one name", nameof(tensors));
        }

        byte[] header = Header(ordered, metadata ?? new Dictionary<string, string> { ["format"] = "pt" });
        long length = header.Length + ordered.Sum(ByteCount);
        AtomicFile.Write(path, length, stream =>
        {
            stream.Write(header);
            byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
            try
            {
                foreach (var tensor in ordered)
                {
                    buffer = WriteTensor(stream, tensor, buffer, written);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        });
    }

    /// <summary>Bytes of a tensor's elements.</summary>
    internal static long ByteCount(ICheckpointTensor tensor) => (long)tensor.Rows * tensor.Columns * tensor.DType.Size();

    // Returns the buffer, or a larger one if a single row needs it.
    private static byte[] WriteTensor(FileStream stream, ICheckpointTensor tensor, byte[] buffer, Action<long>? written)
    {
        int rowBytes = tensor.Columns * tensor.DType.Size();
        if (rowBytes == 0)
        {
            return buffer;
        }

        if (rowBytes > buffer.Length)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = ArrayPool<byte>.Shared.Rent(rowBytes);
        }

        int rowsPerChunk = buffer.Length / rowBytes;
        for (int row = 0; row < tensor.Rows;)
        {
            int count = Math.Min(rowsPerChunk, tensor.Rows - row);
            var chunk = buffer.AsSpan(0, count * rowBytes);
            tensor.Read(row, count, chunk);
            stream.Write(chunk);
            written?.Invoke(chunk.Length);
            row += count;
        }

        return buffer;
    }

    private static byte[] Header(List<ICheckpointTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("__metadata__");
            foreach (var (key, value) in metadata)
            {
                writer.WriteString(key, value);
            }

            writer.WriteEndObject();
            long offset = 0;
            foreach (var tensor in tensors)
            {
                WriteEntry(writer, tensor, offset);
                offset += ByteCount(tensor);
            }

            writer.WriteEndObject();
        }

        int padded = (8 + json.WrittenCount + HeaderAlignment - 1) / HeaderAlignment * HeaderAlignment;
        byte[] header = new byte[padded];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)padded - 8);
        json.WrittenSpan.CopyTo(header.AsSpan(8));
        return header;
    }

    private static void WriteEntry(Utf8JsonWriter writer, ICheckpointTensor tensor, long offset)
    {
        writer.WriteStartObject(tensor.Name);
        writer.WriteString("dtype", tensor.DType switch
        {
            DType.F32 => "F32",
            DType.F16 => "F16",
            DType.BF16 => "BF16",
            DType.I32 => "I32",
            _ => throw new ArgumentException($"tensor '{tensor.Name}' is {tensor.DType.Name()}, which has no place in a checkpoint"),
        });
        writer.WriteStartArray("shape");
        foreach (long dimension in tensor.Shape)
        {
            writer.WriteNumberValue(dimension);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(offset);
        writer.WriteNumberValue(offset + ByteCount(tensor));
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
