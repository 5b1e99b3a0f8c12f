using System.Text.Json;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>A *.index.json: which shard holds which tensor.</summary>
internal sealed class ShardIndex
{
    private ShardIndex(string path) => Path = path;

    /// <summary>The index file.</summary>
    public string Path { get; }

    /// <summary>Tensor names by shard file name, in the order of the index; no list is empty.</summary>
    public SortedDictionary<string, List<string>> Shards { get; } = new(StringComparer.Ordinal);

    /// <exception cref="BadInputException">The file is not such an index, or a shard's name leads out of the folder.</exception>
    public static ShardIndex Read(string path, string folder)
    {
        var index = new ShardIndex(path);
        using var document = JsonFile.ReadObject(path);
        if (!document.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
        {
            throw new BadInputException($"{path}: field 'weight_map' is missing or not an object.");
        }

        var seen = new HashSet<string>();
        foreach (var entry in map.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String || !IsPlainName(entry.Value.GetString()!))
            {
                throw new BadInputException($"{path}: weight_map of '{entry.Name}' is not the name of a file in {folder}.");
            }

            if (!seen.Add(entry.Name))
            {
                throw new BadInputException($"{path}: weight_map names '{entry.Name}' twice.");
            }

            string shard = entry.Value.GetString()!;
            if (!index.Shards.TryGetValue(shard, out var names))
            {
                index.Shards.Add(shard, names = []);
            }

            names.Add(entry.Name);
        }

        return index.Shards.Count > 0 ? index : throw new BadInputException($"{path}: weight_map is empty.");
    }

    // A shard lies beside its index. Links are followed: download caches keep the files elsewhere and link them in.
    private static bool IsPlainName(string name) =>
        name.Length is > 0 and < 256 && name is not ("." or "..") && !name.AsSpan().ContainsAny('/', '\\', '\0');
}
