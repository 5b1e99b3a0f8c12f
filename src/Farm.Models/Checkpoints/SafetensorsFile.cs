using System.Buffers.Binary;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>
/// Reader of the safetensors format (https://github.com/huggingface/safetensors, "Format"): eight bytes of header length, a JSON header,
/// data. The header is taken for hostile: every offset is checked before a tensor is handed out.
/// </summary>
internal static class SafetensorsFile
{
    // The reference implementation's own limit.
    private const long LongestHeader = 100_000_000;

    /// <summary>The tensors of an open file, in the order of their data.</summary>
    /// <exception cref="BadInputException">The file is not valid safetensors.</exception>
    public static IReadOnlyList<ICheckpointTensor> Read(CheckpointFile file)
    {
        if (file.Length < 8)
        {
            throw file.Bad($"{file.Length} bytes are too few for a safetensors file");
        }

        Span<byte> prefix = stackalloc byte[8];
        file.Read(0, prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > (ulong)file.Length - 8)
        {
            throw file.Bad($"the header claims {headerLength} bytes, more than the file has ({file.Length}); the file is truncated or not safetensors");
        }

        if (headerLength > LongestHeader)
        {
            throw file.Bad($"the header claims {headerLength} bytes, more than the {LongestHeader} that the format allows");
        }

        byte[] header = new byte[(int)headerLength];
        file.Read(8, header);
        long dataStart = 8 + header.Length;
        var entries = SafetensorsHeader.Parse(file, header);
        CheckLayout(file, entries, file.Length - dataStart);
        return entries.ConvertAll<ICheckpointTensor>(e => new ContiguousTensor(file, e.Name, e.Type, e.Shape, dataStart + e.Begin));
    }

    // The format wants the tensors to cover the data exactly; anything else means a truncated, damaged or doctored file.
    private static void CheckLayout(CheckpointFile file, List<SafetensorsEntry> entries, long dataLength)
    {
        entries.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        long covered = 0;
        for (int i = 0; i < entries.Count; i++)
        {
            var entry = entries[i];
            if (entry.End > dataLength)
            {
                throw file.Bad($"tensor '{entry.Name}' ends at byte {entry.End} of the data, but there are only {dataLength}; the file is truncated or damaged");
            }

            if (entry.Begin < covered)
            {
                throw file.Bad($"tensors '{entries[i - 1].Name}' and '{entry.Name}' overlap in the data");
            }

            if (entry.Begin > covered)
            {
                throw file.Bad($"bytes {covered} to {entry.Begin} of the data, before tensor '{entry.Name}', belong to no tensor");
            }

            covered = entry.End;
        }

        if (covered != dataLength)
        {
            throw file.Bad($"the last {dataLength - covered} bytes belong to no tensor");
        }
    }
}
