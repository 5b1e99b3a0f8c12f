namespace Farm.Models.Tokenizers.Json;

/// <summary>
/// GPT-2's writing of bytes as printable characters: printable Latin-1 bytes stand for themselves, the others for U+0100 and up.
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] s_chars = MakeChars();
    private static readonly short[] s_bytes = MakeBytes();

    /// <summary>The character of a byte.</summary>
    public static char CharOf(byte value) => s_chars[value];

    /// <summary>The byte of a character, -1 if it stands for none.</summary>
    public static int ByteOf(char value) => value < s_bytes.Length ? s_bytes[value] : -1;

    private static char[] MakeChars()
    {
        var chars = new char[256];
        var next = (char)256;
        for (var value = 0; value < 256; value++)
        {
            chars[value] = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)value : next++;
        }

        return chars;
    }

    private static short[] MakeBytes()
    {
        var bytes = new short[512];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++)
        {
            bytes[s_chars[value]] = (short)value;
        }

        return bytes;
    }
}
