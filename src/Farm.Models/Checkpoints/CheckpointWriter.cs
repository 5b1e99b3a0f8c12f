using System.Text.Json;
using System.Text.RegularExpressions;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>Saves the weights of a model folder as safetensors, in one file or in shards with an index.</summary>
public static partial class CheckpointWriter
{
    /// <summary>Shard size that Hugging Face uses by default.</summary>
    public const long DefaultShardBytes = 5_000_000_000;

    private const string Single = "model.safetensors", Index = "model.safetensors.index.json";

    /// <summary>
    /// Writes model.safetensors, or model-0000k-of-0000n.safetensors and their index if the tensors exceed <paramref name="maxShardBytes"/>. A
    /// tensor larger than that has a shard to itself. The index is written last, and weights of an earlier save that it no longer
    /// names are then removed, so that an interrupted save leaves something that opens or says what is missing.
    /// </summary>
    /// <param name="folder">The model folder; created if need be.</param>
    /// <param name="tensors">Tensors of distinct names.</param>
    /// <param name="maxShardBytes">Most bytes of data in a shard.</param>
    /// <param name="written">Told the bytes of data written, now and then; may be null.</param>
    /// <exception cref="BadInputException">A file cannot be written, or a tensor cannot be read.</exception>
    public static void Save(
        string folder,
        IEnumerable<ICheckpointTensor> tensors,
        long maxShardBytes = DefaultShardBytes,
        Action<long>? written = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxShardBytes, 1);
        var shards = Split(tensors, maxShardBytes);
        if (shards.Count == 1)
        {
            SafetensorsWriter.Write(Path.Combine(folder, Single), shards[0], written: written);
            RemoveOthers(folder, [Single]);
            return;
        }

        var names = new List<string>();
        for (int i = 0; i < shards.Count; i++)
        {
            names.Add($"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors");
            SafetensorsWriter.Write(Path.Combine(folder, names[i]), shards[i], written: written);
        }

        AtomicFile.Write(Path.Combine(folder, Index), 0, stream => WriteIndex(stream, shards, names));
        RemoveOthers(folder, [Index, .. names]);
    }

    private static List<List<ICheckpointTensor>> Split(IEnumerable<ICheckpointTensor> tensors, long maxShardBytes)
    {
        var shards = new List<List<ICheckpointTensor>> { new() };
        long bytes = 0;
        foreach (var tensor in tensors)
        {
            long size = SafetensorsWriter.ByteCount(tensor);
            if (shards[^1].Count > 0 && bytes + size > maxShardBytes)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(tensor);
            bytes += size;
        }

        return shards;
    }

    private static void WriteIndex(FileStream stream, List<List<ICheckpointTensor>> shards, List<string> names)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", shards.Sum(s => s.Sum(SafetensorsWriter.ByteCount)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        for (int i = 0; i < shards.Count; i++)
        {
            foreach (var tensor in shards[i])
            {
                json.WriteString(tensor.Name, names[i]);
            }
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    // Files of the names that Save gives; an index goes first, as it would otherwise name shards that are gone.
    private static void RemoveOthers(string folder, string[] keep)
    {
        try
        {
            foreach (string path in Directory.GetFiles(folder, "model*").OrderByDescending(p => p.EndsWith(".json", StringComparison.Ordinal)))
            {
                string name = Path.GetFileName(path);
                if (!keep.Contains(name) && (name is Single or Index || ShardName().IsMatch(name)))
                {
                    File.Delete(path);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{folder}: weights of an earlier save cannot be removed: {e.Message}", e);
        }
    }

    [GeneratedRegex(@"^model-\d{5}-of-\d{5}\.safetensors$")]
    private static partial Regex ShardName();
}
