using System.Buffers.Binary;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>Reads the Protocol Buffers wire format, never past the end of its span; malformed data throw <see cref="FormatException"/>.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;

    /// <summary>Number of the current field.</summary>
    public int Field { get; private set; }

    private int Wire { get; set; }

    /// <summary>Goes to the next field; false at the end.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = Varint();
        Wire = (int)(tag & 7);
        Field = tag >> 3 is > 0 and <= (1 << 29) - 1 ? (int)(tag >> 3) : throw new FormatException("a field number is out of range");
        return true;
    }

    /// <summary>Value of an integer field, as written (negative numbers in two's complement).</summary>
    public int Int32()
    {
        Expect(0);
        return unchecked((int)Varint());
    }

    /// <summary>Value of a Boolean field.</summary>
    public bool Bool()
    {
        Expect(0);
        return Varint() != 0;
    }

    /// <summary>Value of a 32-bit floating-point field.</summary>
    public float Single()
    {
        Expect(5);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    /// <summary>Value of a field of bytes, a string or a message.</summary>
    public ReadOnlySpan<byte> Bytes()
    {
        Expect(2);
        return Take(Varint());
    }

    /// <summary>Passes over the current field.</summary>
    public void Skip()
    {
        switch (Wire)
        {
            case 0:
                Varint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Take(Varint());
                break;
            case 5:
                Take(4);
                break;
            default:
                throw new FormatException($"wire type {Wire} of field {Field} is not known");
        }
    }

    private readonly void Expect(int wire)
    {
        if (Wire != wire)
        {
            throw new FormatException($"field {Field} has wire type {Wire}, expected {wire}");
        }
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (var i = 0; i < 10; i++)
        {
            if (i >= _rest.Length)
            {
                throw new FormatException("it ends inside a number");
            }

            value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
            if (_rest[i] < 0x80)
            {
                _rest = _rest[(i + 1)..];
                return value;
            }
        }

        throw new FormatException("a number is longer than 10 bytes");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_rest.Length)
        {
            throw new FormatException($"field {Field} reaches past the end");
        }

        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
