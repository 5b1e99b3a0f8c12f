using System.Buffers.Binary;
using Farm.Core;

namespace Farm.Models.Tokenizers.SentencePiece;

/// <summary>
/// SentencePiece's compiled normalisation rules: a 32-bit trie size, a Darts-clone double-array trie of UTF-8 keys, then the
/// replacement strings, each ended by a zero byte. Bounds are checked at every step, as the map comes from a file.
/// </summary>
internal sealed class PrecompiledCharsMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    public PrecompiledCharsMap(ReadOnlySpan<byte> blob, string file)
    {
        var size = blob.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(blob) : uint.MaxValue;
        if (size % 4 != 0 || size == 0 || size > (uint)blob.Length - 4)
        {
            throw new BadInputException($"{file}: normalizer_spec.precompiled_charsmap is broken: its trie does not fit.");
        }

        _units = new uint[size / 4];
        for (var i = 0; i < _units.Length; i++)
        {
            _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + (4 * i))..]);
        }

        _replacements = blob[(4 + (int)size)..].ToArray();
    }

    /// <summary>The longest rule that starts the text: how many bytes it covers (0 for none) and what they become.</summary>
    public int Longest(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        var length = 0;
        uint value = 0;
        var unit = _units[0];
        var position = Offset(unit);
        for (var i = 0; i < text.Length; i++)
        {
            position ^= text[i];
            if (position >= (uint)_units.Length)
            {
                break;
            }

            unit = _units[position];
            if ((unit & 0x800000FFu) != text[i])
            {
                break;
            }

            position ^= Offset(unit);
            if (((unit >> 8) & 1) == 1 && position < (uint)_units.Length)
            {
                length = i + 1;
                value = _units[position] & 0x7FFFFFFF;
            }
        }

        replacement = default;
        if (length > 0 && value < (uint)_replacements.Length)
        {
            replacement = _replacements.AsSpan((int)value);
            var end = replacement.IndexOf((byte)0);
            replacement = end < 0 ? replacement : replacement[..end];
        }

        return length;
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & (1u << 9)) >> 6);
}
