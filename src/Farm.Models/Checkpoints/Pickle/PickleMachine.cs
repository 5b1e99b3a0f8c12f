using System.Buffers.Binary;
using System.Text;
using Farm.Core;

namespace Farm.Models.Checkpoints.Pickle;

/// <summary>
/// A pickle machine (Python's pickletools, protocols 2 to 5) that builds dicts, lists, tuples, numbers, strings and references to tensors,
/// and can call nothing. Any global outside <see cref="PickleGlobals"/> is refused by name. It does not recurse, and the number of values is
/// bounded, so a hostile pickle costs a bounded time and memory.
/// </summary>
internal sealed partial class PickleMachine
{
    /// <summary>Largest pickle taken; that of a 70 B model is under 1 MB.</summary>
    public const int MostBytes = 32 * 1024 * 1024;

    private const int MostValues = 2_000_000;
    private readonly string _file;
    private readonly byte[] _code;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _at, _opcodeAt, _values;

    private PickleMachine(string file, byte[] code) => (_file, _code) = (file, code);

    /// <summary>Runs the pickle and returns its value.</summary>
    /// <exception cref="BadInputException">The pickle is damaged, too large, or asks for something outside the tensor set.</exception>
    public static object? Run(string file, byte[] code) => new PickleMachine(file, code).Run();

    private object? Run()
    {
        while (true)
        {
            _opcodeAt = _at;
            byte opcode = Take(1)[0];
            if (opcode == (byte)'.')
            {
                return Pop();
            }

            if (!Literal(opcode) && !Structure(opcode))
            {
                throw Bad($"uses the opcode 0x{opcode:x2}, which no checkpoint needs");
            }
        }
    }

    private bool Literal(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                byte protocol = Take(1)[0];
                if (protocol is < 2 or > 5)
                {
                    throw Bad($"has protocol {protocol}; 2 to 5 can be read");
                }

                break;
            case 0x95: // FRAME: the whole pickle is in memory, so frames change nothing
                Length(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)));
                break;
            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'K': Push((long)Take(1)[0]); break;
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case 0x8a: Push(Long(Take(1)[0])); break;
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case 0x8c or (byte)'U': Push(Text(Take(1)[0])); break; // SHORT_BINUNICODE, SHORT_BINSTRING
            case (byte)'X' or (byte)'T': Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break; // BINUNICODE, BINSTRING
            case 0x8d: Push(Text(BinaryPrimitives.ReadUInt64LittleEndian(Take(8)))); break; // BINUNICODE8
            default: return false;
        }

        return true;
    }

    // Two's complement, little-endian, as many bytes as the number needs; no count or offset of a tensor needs more than eight.
    private long Long(int length)
    {
        if (length > 8)
        {
            throw Bad($"holds an integer of {length} bytes");
        }

        var bytes = Take(length);
        long value = 0;
        for (int i = 0; i < length; i++)
        {
            value |= (long)bytes[i] << (8 * i);
        }

        int unused = 64 - (8 * length);
        return length == 0 ? 0 : value << unused >> unused;
    }

    private string Text(ulong length) => Encoding.UTF8.GetString(Take(Length(length)));

    private int Length(ulong length) => length <= (ulong)(_code.Length - _at) ? (int)length : throw Bad("ends in the middle of a value");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _code.Length - _at)
        {
            throw Bad("ends before it is complete");
        }

        _at += count;
        return _code.AsSpan(_at - count, count);
    }

    private string Line()
    {
        int length = _code.AsSpan(_at).IndexOf((byte)'\n');
        string line = Encoding.UTF8.GetString(Take(length < 0 ? int.MaxValue : length));
        Take(1);
        return line;
    }

    private void Push(object? value)
    {
        if (++_values > MostValues)
        {
            throw Bad($"builds more than {MostValues} values");
        }

        _stack.Add(value);
    }

    private object? Pop()
    {
        if (_stack.Count == 0 || _stack[^1] is PickleMark)
        {
            throw Bad("takes a value that is not there");
        }

        object? value = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] Pop(int count)
    {
        object?[] values = new object?[count];
        for (int i = count - 1; i >= 0; i--)
        {
            values[i] = Pop();
        }

        return values;
    }

    private object?[] PopToMark()
    {
        int mark = _stack.FindLastIndex(v => v is PickleMark);
        if (mark < 0)
        {
            throw Bad("takes values up to a mark that is not there");
        }

        object?[] values = Pop(_stack.Count - mark - 1);
        _stack.RemoveAt(mark);
        return values;
    }

    private object? Top() => _stack.Count > 0 ? _stack[^1] : throw Bad("takes a value that is not there");

    private BadInputException Bad(string what) => new($"{_file}: its pickle {what} (at byte {_opcodeAt} of data.pkl).");
}
