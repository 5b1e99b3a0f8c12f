using System.Buffers.Binary;
using System.Text;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Where the bytes of a stored (uncompressed) zip entry lie in its file.</summary>
internal readonly record struct ZipEntry(long Offset, long Length);

/// <summary>
/// The directory of a zip archive whose entries are stored, as torch.save writes them (PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3 for
/// zip64). Tensors are read straight from the archive's file, so their offsets are needed, which
/// <see cref="System.IO.Compression.ZipArchive"/> keeps to itself.
/// </summary>
internal static class ZipDirectory
{
    private const uint LocalSignature = 0x04034b50, CentralSignature = 0x02014b50, EndSignature = 0x06054b50;
    private const uint Zip64EndSignature = 0x06064b50, Zip64LocatorSignature = 0x07064b50;
    private const int EndLength = 22, CentralLength = 46, LocalLength = 30, Zip64EndLength = 56, Zip64LocatorLength = 20;
    private const int LargestDirectory = 64 * 1024 * 1024;

    /// <summary>True if the file begins as a zip archive does.</summary>
    public static bool LooksLikeZip(CheckpointFile file)
    {
        Span<byte> signature = stackalloc byte[4];
        if (file.Length < EndLength)
        {
            return false;
        }

        file.Read(0, signature);
        return BinaryPrimitives.ReadUInt32LittleEndian(signature) is LocalSignature or EndSignature;
    }

    /// <summary>The entries by name.</summary>
    /// <exception cref="BadInputException">The archive is damaged, truncated, compressed or encrypted.</exception>
    public static Dictionary<string, ZipEntry> Read(CheckpointFile file)
    {
        var (offset, length) = FindDirectory(file);
        if (offset < 0 || length < 0 || length > LargestDirectory || offset > file.Length - length)
        {
            throw file.Bad("the zip directory lies outside the file; the file is truncated or damaged");
        }

        byte[] directory = new byte[length];
        file.Read(offset, directory);
        var entries = new Dictionary<string, ZipEntry>();
        for (int at = 0; at < directory.Length;)
        {
            at = ReadEntry(file, directory, at, entries);
        }

        return entries;
    }

    private static (long Offset, long Length) FindDirectory(CheckpointFile file)
    {
        int tailLength = (int)Math.Min(file.Length, EndLength + ushort.MaxValue);
        byte[] tail = new byte[tailLength];
        file.Read(file.Length - tailLength, tail);
        for (int at = tailLength - EndLength; at >= 0; at--)
        {
            var end = tail.AsSpan(at);
            if (U32(end, 0) != EndSignature || at + EndLength + U16(end, 20) != tailLength)
            {
                continue;
            }

            long endPosition = file.Length - tailLength + at;
            return FindZip64(file, endPosition) ?? (U32(end, 16), U32(end, 12));
        }

        throw file.Bad("the zip archive has no directory at its end; the file is truncated or damaged");
    }

    private static (long Offset, long Length)? FindZip64(CheckpointFile file, long endPosition)
    {
        if (endPosition < Zip64LocatorLength + Zip64EndLength)
        {
            return null;
        }

        Span<byte> record = stackalloc byte[Zip64EndLength];
        file.Read(endPosition - Zip64LocatorLength, record[..Zip64LocatorLength]);
        if (U32(record, 0) != Zip64LocatorSignature)
        {
            return null;
        }

        long position = I64(record, 8);
        if (position >= 0 && position <= endPosition - Zip64EndLength)
        {
            file.Read(position, record);
            if (U32(record, 0) == Zip64EndSignature)
            {
                return (I64(record, 48), I64(record, 40));
            }
        }

        throw file.Bad("the zip64 directory is damaged");
    }

    private static int ReadEntry(CheckpointFile file, byte[] directory, int at, Dictionary<string, ZipEntry> entries)
    {
        var header = directory.AsSpan(at);
        if (header.Length < CentralLength || U32(header, 0) != CentralSignature)
        {
            throw file.Bad("the zip directory is damaged");
        }

        int nameLength = U16(header, 28), extraLength = U16(header, 30), commentLength = U16(header, 32);
        int total = CentralLength + nameLength + extraLength + commentLength;
        if (header.Length < total)
        {
            throw file.Bad("the zip directory is damaged");
        }

        string name = Encoding.UTF8.GetString(header.Slice(CentralLength, nameLength));
        long stored = U32(header, 20), length = U32(header, 24), local = U32(header, 42);
        ReadZip64Extra(header.Slice(CentralLength + nameLength, extraLength), ref length, ref stored, ref local);
        if ((U16(header, 8) & 1) != 0 || U16(header, 10) != 0 || stored != length)
        {
            throw file.Bad($"entry '{name}' of the archive is compressed or encrypted; torch.save stores entries as they are");
        }

        if (!entries.TryAdd(name, new ZipEntry(DataOffset(file, name, local, length), length)))
        {
            throw file.Bad($"the archive holds '{name}' twice");
        }

        return at + total;
    }

    // The extra field lists only the values whose 32-bit field is all ones, in this order.
    private static void ReadZip64Extra(ReadOnlySpan<byte> extra, ref long length, ref long stored, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = U16(extra, 0), size = U16(extra, 2);
            var field = extra[4..];
            if (size > field.Length)
            {
                return;
            }

            if (id == 1)
            {
                field = field[..size];
                Widen(ref field, ref length);
                Widen(ref field, ref stored);
                Widen(ref field, ref local);
            }

            extra = extra[(4 + size)..];
        }
    }

    private static void Widen(ref ReadOnlySpan<byte> field, ref long value)
    {
        if (value == uint.MaxValue && field.Length >= 8)
        {
            value = I64(field, 0);
            field = field[8..];
        }
    }

    private static long DataOffset(CheckpointFile file, string name, long local, long length)
    {
        Span<byte> header = stackalloc byte[LocalLength];
        if (local >= 0 && local <= file.Length - LocalLength)
        {
            file.Read(local, header);
            long offset = local + LocalLength + U16(header, 26) + U16(header, 28);
            if (U32(header, 0) == LocalSignature && length >= 0 && offset <= file.Length - length)
            {
                return offset;
            }
        }

        throw file.Bad($"entry '{name}' of the archive lies outside the file; the file is truncated or damaged");
    }

    private static int U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
