using System.Text;
using Farm.Core;
using Farm.Models.Checkpoints.Pickle;

namespace Farm.Models.Checkpoints;

/// <summary>
/// Reader of what <c>torch.save</c> writes since PyTorch 1.6: a zip archive with a pickle of the state dict (<c>NAME/data.pkl</c>) and one
/// stored entry per storage (<c>NAME/data/KEY</c>). Several tensors may be views of one storage.
/// </summary>
internal static class TorchFile
{
    private const string PickleName = "data.pkl";

    /// <summary>The tensors of an open file, in the order of its state dict.</summary>
    /// <exception cref="BadInputException">The file is damaged, of another format, or asks for more than tensors.</exception>
    public static IReadOnlyList<ICheckpointTensor> Read(CheckpointFile file)
    {
        if (!ZipDirectory.LooksLikeZip(file))
        {
            throw file.Bad("it is not a zip archive as torch.save writes since PyTorch 1.6; load and save it with a newer PyTorch, or convert it to safetensors");
        }

        var entries = ZipDirectory.Read(file);
        string root = FindRoot(file, entries);
        CheckByteOrder(file, entries, root);
        var pickle = entries[root + PickleName];
        if (pickle.Length > PickleMachine.MostBytes)
        {
            throw file.Bad($"its pickle has {pickle.Length} bytes, more than the {PickleMachine.MostBytes} that are read");
        }

        byte[] code = new byte[pickle.Length];
        file.Read(pickle.Offset, code);
        if (PickleMachine.Run(file.Path, code) is not PickleDict dict)
        {
            throw file.Bad("its pickle is not a dict of tensors");
        }

        var tensors = new List<ICheckpointTensor>();
        foreach (var (name, value) in dict.Entries)
        {
            if (value is PickleTensor tensor)
            {
                tensors.Add(Locate(file, entries, root, name, tensor));
            }
        }

        return tensors.Count > 0 ? tensors : throw file.Bad("its pickle is a dict without tensors");
    }

    private static string FindRoot(CheckpointFile file, Dictionary<string, ZipEntry> entries)
    {
        var roots = entries.Keys.Where(k => k == PickleName || (k.EndsWith("/" + PickleName, StringComparison.Ordinal)
            && k.IndexOf('/') == k.Length - PickleName.Length - 1)).ToList();
        return roots.Count == 1
            ? roots[0][..^PickleName.Length]
            : throw file.Bad($"the archive holds {roots.Count} pickles named {PickleName}, where torch.save writes one");
    }

    private static void CheckByteOrder(CheckpointFile file, Dictionary<string, ZipEntry> entries, string root)
    {
        if (!entries.TryGetValue(root + "byteorder", out var entry))
        {
            return;
        }

        byte[] text = new byte[Math.Min(entry.Length, 16)];
        file.Read(entry.Offset, text);
        if (Encoding.UTF8.GetString(text) is not "little")
        {
            throw file.Bad("it was saved on a big-endian machine; only little-endian files can be read");
        }
    }

    private static FileTensor Locate(CheckpointFile file, Dictionary<string, ZipEntry> entries, string root, string name, PickleTensor tensor)
    {
        var storage = tensor.Storage;
        if (!entries.TryGetValue($"{root}data/{storage.Key}", out var entry))
        {
            throw file.Bad($"the archive has no storage 'data/{storage.Key}' for tensor '{name}'");
        }

        if (storage.Elements > entry.Length / storage.Type.Size)
        {
            throw file.Bad($"storage 'data/{storage.Key}' of tensor '{name}' has {entry.Length} bytes, too few for {storage.Elements} elements of {storage.Type.Name}");
        }

        // The bounds of the view were checked against the storage's elements, and those now against the file; an empty view reads nothing.
        long offset = entry.Offset + (tensor.Shape.Contains(0) ? 0 : tensor.Offset * storage.Type.Size);
        return IsContiguous(tensor)
            ? new ContiguousTensor(file, name, storage.Type, tensor.Shape, offset)
            : new StridedTensor(file, name, storage.Type, tensor.Shape, offset, tensor.Strides);
    }

    private static bool IsContiguous(PickleTensor tensor)
    {
        long expected = 1;
        for (int i = tensor.Shape.Length - 1; i >= 0; i--)
        {
            if (tensor.Shape[i] == 0)
            {
                return true;
            }

            if (tensor.Shape[i] != 1 && tensor.Strides[i] != expected)
            {
                return false;
            }

            expected *= tensor.Shape[i];
        }

        return true;
    }
}
