using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using Farm.Core;

namespace Farm.Training.Metrics;

/// <summary>
/// TensorBoard event files: records of TFRecord framing (length, masked CRC-32C of the length, data, masked CRC-32C of the data), each an Event
/// message of protocol buffers with a Summary of simple values. A resumed run opens another file beside the first.
/// </summary>
/// <param name="folder">The log folder.</param>
/// <param name="clock">Where wall times come from; the system's unless given.</param>
public sealed class TensorBoardSink(string folder, TimeProvider? clock = null) : IMetricSink
{
    private const int VarintType = 0, Fixed64Type = 1, BytesType = 2, Fixed32Type = 5;
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;
    private FileStream? _stream;

    /// <inheritdoc/>
    public void Begin(int stepsDone) => Guard(() =>
    {
        Directory.CreateDirectory(folder);
        if (stepsDone == 0)
        {
            foreach (string old in Directory.GetFiles(folder, "events.out.tfevents.*.farm"))
            {
                File.Delete(old);
            }
        }

        string name = string.Create(CultureInfo.InvariantCulture, $"events.out.tfevents.{stepsDone:D10}.farm");
        _stream = new FileStream(Path.Combine(folder, name), FileMode.Create, FileAccess.Write, FileShare.Read);
        var version = Event();
        Field(version, 3, Encoding.UTF8.GetBytes("brain.Event:2"));
        Record(version);
    });

    /// <inheritdoc/>
    public void Write(MetricLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var summary = new List<byte>();
        Span<byte> bits = stackalloc byte[4];
        foreach (var (name, value) in line.Values)
        {
            var entry = new List<byte>();
            Field(entry, 1, Encoding.UTF8.GetBytes(name.StartsWith("eval_", StringComparison.Ordinal) ? "eval/" + name[5..] : "train/" + name));
            Tag(entry, 2, Fixed32Type);
            BinaryPrimitives.WriteSingleLittleEndian(bits, (float)value);
            entry.AddRange(bits);
            Field(summary, 1, entry);
        }

        var message = Event();
        Tag(message, 2, VarintType);
        Varint(message, (ulong)line.Step);
        Field(message, 5, summary);
        Guard(() => Record(message));
    }

    /// <inheritdoc/>
    public void Dispose() => _stream?.Dispose();

    private static void Tag(List<byte> to, int field, int type) => Varint(to, (ulong)((field << 3) | type));

    private static void Field(List<byte> to, int field, IReadOnlyCollection<byte> bytes)
    {
        Tag(to, field, BytesType);
        Varint(to, (ulong)bytes.Count);
        to.AddRange(bytes);
    }

    private static void Varint(List<byte> to, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            to.Add((byte)(value | 0x80));
        }

        to.Add((byte)value);
    }

    private static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in data)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
    }

    private List<byte> Event()
    {
        var message = new List<byte>();
        Tag(message, 1, Fixed64Type);
        Span<byte> time = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(time, _clock.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        message.AddRange(time);
        return message;
    }

    private void Record(List<byte> message)
    {
        byte[] record = new byte[16 + message.Count], data = [.. message];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        data.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + data.Length), MaskedCrc(data));
        _stream!.Write(record);
        _stream.Flush();
    }

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{folder} cannot be written: {e.Message}", e);
        }
    }
}
