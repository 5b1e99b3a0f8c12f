using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Farm.Models.Tests.Checkpoints;

/// <summary>Emits pickles opcode by opcode, and the zip archives that torch.save puts them in.</summary>
internal sealed class PickleEmitter
{
    private readonly List<byte> _code = [];

    public PickleEmitter(byte protocol = 2) => Raw(0x80, protocol);

    public int Position => _code.Count;

    public PickleEmitter Raw(params byte[] bytes)
    {
        _code.AddRange(bytes);
        return this;
    }

    public PickleEmitter Op(char opcode) => Raw((byte)opcode);

    public PickleEmitter Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Op('X').Raw(BitConverter.GetBytes(bytes.Length)).Raw(bytes);
        return this;
    }

    /// <summary>The shortest opcode for the number, as Python chooses; LONG1 over 31 bits.</summary>
    public PickleEmitter Int(long value) => value switch
    {
        >= 0 and < 256 => Op('K').Raw((byte)value),
        >= 0 and < 65536 => Op('M').Raw((byte)value, (byte)(value >> 8)),
        >= int.MinValue and <= int.MaxValue => Op('J').Raw(BitConverter.GetBytes((int)value)),
        _ => Raw(0x8a, 8).Raw(BitConverter.GetBytes(value)),
    };

    public PickleEmitter Global(string module, string name) => Op('c').Raw(Encoding.UTF8.GetBytes($"{module}\n{name}\n"));

    public PickleEmitter Ints(params long[] values)
    {
        Op('(');
        foreach (long value in values)
        {
            Int(value);
        }

        return Op('t');
    }

    public PickleEmitter EmptyOrderedDict() => Global("collections", "OrderedDict").Op(')').Op('R');

    public PickleEmitter Storage(string type, string key, long elements, string module = "torch")
    {
        Op('(').Text("storage").Global(module, type).Text(key).Text("cpu").Int(elements).Op('t').Op('Q');
        return this;
    }

    public PickleEmitter Tensor(string type, string key, long elements, long offset, long[] shape, long[] strides)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage(type, key, elements).Int(offset).Ints(shape).Ints(strides);
        return Raw(0x89).EmptyOrderedDict().Op('t').Op('R');
    }

    public byte[] Stop()
    {
        Op('.');
        return [.. _code];
    }

    /// <summary>An archive as torch.save writes it.</summary>
    public static byte[] Archive(byte[] pickle, IReadOnlyDictionary<string, byte[]> storages, string? byteOrder = "little",
        CompressionLevel compression = CompressionLevel.NoCompression)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create))
        {
            Add("archive/data.pkl", pickle);
            if (byteOrder is not null)
            {
                Add("archive/byteorder", Encoding.UTF8.GetBytes(byteOrder));
            }

            foreach (var (key, bytes) in storages)
            {
                Add($"archive/data/{key}", bytes);
            }

            Add("archive/version", "3\n"u8.ToArray());

            void Add(string name, byte[] bytes)
            {
                using var entry = zip.CreateEntry(name, compression).Open();
                entry.Write(bytes);
            }
        }

        return stream.ToArray();
    }

    /// <summary>Float32 values 0, 1, 2, ... as bytes.</summary>
    public static byte[] Counting(int count)
    {
        byte[] bytes = new byte[count * 4];
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * 4), i);
        }

        return bytes;
    }
}
